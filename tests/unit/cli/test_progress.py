"""The live display and the plain lines, whatever a trial's reason holds."""

from __future__ import annotations

from dataclasses import replace
from io import StringIO

import pytest
from helpers import some_architectures, tiny_space
from rich.console import Console

from mbnas.cli.progress import _Display, _Lines
from mbnas.cli.words import duration, savings_said
from mbnas.network import costs
from mbnas.search import Found, Savings, Snapshot, Trial
from mbnas.testing import FakeLatencyMeter
from mbnas.training.trainer import Epoch

(ARCHITECTURE,) = some_architectures(tiny_space(), 1)
(LATENCY,) = FakeLatencyMeter().measure([ARCHITECTURE], 10)
TRAINED = Trial(
    number=2,
    params={},
    architecture=ARCHITECTURE,
    status="trained",
    accuracy=0.75,
    latency=LATENCY,
    costs=costs(ARCHITECTURE.lower()),
)
MARKUP = "no room [/x] [bold]"  # what rich would take for markup
FAILED = replace(TRAINED, number=3, status="failed", accuracy=None, reason=MARKUP)
SNAPSHOT = Snapshot(3, 6, (TRAINED,), 0.5, 90.0)


def test_the_display_shows_where_the_search_stands() -> None:
    text = StringIO()
    console = Console(file=text, force_terminal=True, width=110, no_color=True)
    display = _Display(console, epochs=4, quality="accuracy")
    display.images_decoded(50, 600)
    display.images_decoded(600, 600)
    display.search_began(Found(2, 1), SNAPSHOT)
    display.trial_began(3, ARCHITECTURE)
    display.trial_began(4, ARCHITECTURE)
    display.epoch_ended(3, Epoch(2, 1.25, 0.5, 0.5, 3.0))
    display.epoch_ended(4, Epoch(3, 1.25, 0.25, 0.5, 3.0))
    console.print(display.view())
    running = text.getvalue()
    assert "found 2 evaluated trials, 1 begun before" in running
    for part in ("3/6", "2/4", "3/4", "2 min left", "accuracy 0.5000", "accuracy 0.2500"):
        assert part in running
    display.trial_ended(FAILED, SNAPSHOT)
    display.trial_ended(TRAINED.as_reused(9), SNAPSHOT)  # never began
    display.trial_ended(FAILED, SNAPSHOT)
    console.print(display.view())
    shown = text.getvalue()[len(running) :]
    for part in ("3/4", MARKUP, "0.7500"):
        assert part in shown
    assert "2/4" not in shown


def test_the_lines_say_each_trial_whole() -> None:
    text = StringIO()
    lines = _Lines(Console(file=text, width=40), "accuracy")
    lines.search_began(Found(0, 0), SNAPSHOT)
    lines.trial_ended(FAILED, SNAPSHOT)
    lines.trial_ended(TRAINED.as_reused(4), SNAPSHOT)
    lines.space_used_up(200)
    said = text.getvalue().splitlines()
    assert "3/6" in said[0]
    assert "failed" in said[0]
    assert MARKUP in said[0]
    assert "same network as trial 2" in said[1]
    assert "last 200 proposals were known): the search ends" in " ".join(said[2:])
    lines.space_used_up(0)
    assert "every network of the space is known" in " ".join(text.getvalue().split())


def test_what_is_searched_for_is_what_is_said() -> None:
    uneven = replace(TRAINED, curve=(Epoch(1, 1.25, 0.75, 0.5, 3.0),))
    assert uneven.value("balanced_accuracy") == 0.5
    snapshot = replace(SNAPSHOT, front=(uneven,))
    text = StringIO()
    console = Console(file=text, force_terminal=True, width=110, no_color=True)
    display = _Display(console, epochs=4, quality="balanced_accuracy")
    display.trial_began(3, ARCHITECTURE)
    display.epoch_ended(3, Epoch(2, 1.25, 0.7, 0.25, 3.0))
    console.print(display.view())
    display.trial_ended(uneven, snapshot)
    console.print(display.view())
    _Lines(console, "balanced_accuracy").trial_ended(uneven, snapshot)
    said = text.getvalue()
    assert "trial 3: balanced accuracy 0.2500" in said
    assert said.count("trial 2: balanced accuracy 0.5000") == 2
    assert "0.7500" not in said


def test_the_end_of_a_budget_is_told() -> None:
    text = StringIO()
    for observer in (
        _Lines(Console(file=text, width=200), "accuracy"),
        _Display(Console(file=text, width=200), 4, "accuracy"),
    ):
        observer.study_is_made()
        observer.time_is_up(1)
        observer.time_is_up(3)
        observer.trials_wait(2)
    for said in (
        "a new study",
        "one in evaluation goes",
        "3 in evaluation go",
        "these: 2",
    ):
        assert text.getvalue().count(said) == 2


@pytest.mark.parametrize(
    ("seconds", "words"), [(45, "45 s"), (700, "12 min"), (12_000, "3 h 20 min")]
)
def test_durations_are_words(seconds: float, words: str) -> None:
    assert duration(seconds) == words


def test_of_one_training_spared_is_spoken_as_of_one() -> None:
    one = Savings(repeats=1, known=0, untrained=0, stopped=0, epochs=1)
    assert savings_said(one).startswith("1 training, 1 epoch in all (")
    some = Savings(repeats=4, known=8, untrained=0, stopped=0, epochs=96)
    assert savings_said(some).startswith("12 trainings, 96 epochs in all (8 known")
