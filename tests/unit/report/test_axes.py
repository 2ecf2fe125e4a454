"""The front's figure on any axes, and with thousands of trials."""

from __future__ import annotations

import base64
import json
import time
from dataclasses import replace

import numpy as np
import pytest
from unit.report.fakes import every_status, numbered, with_trials

from mbnas.report.captions import front_caption
from mbnas.report.figures.clip import clipped
from mbnas.report.figures.front import MANY, Axes, Window, front_figure
from mbnas.report.groups import evaluated, front_and_below, groups, value_of
from mbnas.report.words import QUANTITIES
from mbnas.search import Study, Trial, knee
from mbnas.search.objectives import COSTS


@pytest.fixture(scope="module")
def timed(mixed: Study) -> Study:
    """With a training time for every trial that was trained."""
    trials = [
        replace(trial, training_seconds=2.5 * len(trial.curve)) if trial.curve else trial
        for trial in mixed.trials
    ]
    return with_trials(mixed, trials)


@pytest.fixture(scope="module")
def many(mixed: Study) -> Study:
    return with_trials(mixed, numbered(every_status(mixed, 150) * 8))


@pytest.mark.parametrize("y", [*COSTS, "training_seconds"])
@pytest.mark.parametrize("x", ["params", "training_seconds", "balanced_accuracy"])
def test_any_two_quantities_may_be_shown(timed: Study, x: str, y: str) -> None:
    figure = front_figure(timed, Axes(x, y))
    assert figure.layout.xaxis.title.text.startswith(QUANTITIES[x].axis)
    seen = []
    for trace in figure.data:
        assert trace.line.shape != "hv", "the front's line climbs on its own axes only"
        if trace.meta is None:
            continue
        for at, number in enumerate(trace.customdata):
            trial = timed.trial(number)
            seen.append(number)
            if trace.xaxis == "x" and x != "balanced_accuracy":
                assert trace.x[at] == value_of(trial, x)
            if trace.yaxis == "y":
                assert trace.y[at] == value_of(trial, y)
    assert sorted(seen) == [trial.number for trial in evaluated(timed)]


def test_the_default_is_what_the_search_was_for(mixed: Study) -> None:
    own = Axes.of(mixed.record.goals)
    assert own == Axes("latency_ms", "accuracy")
    assert front_figure(mixed, own).to_json() == front_figure(mixed).to_json()
    assert "up and to the left" in front_caption(mixed, own)


def test_the_knee_is_ringed_on_any_axes(mixed: Study) -> None:
    best = knee(mixed.front, mixed.record.goals)
    (ring,) = (t for t in front_figure(mixed, Axes("params", "macs")).data if t.name == "knee")
    assert (ring.x[0], ring.y[0]) == (best.costs.params, best.costs.macs)


def test_a_limit_is_drawn_on_the_axis_that_shows_it(mixed: Study) -> None:
    lines = front_figure(mixed, Axes("params", "latency_ms")).layout.shapes
    assert [(line.x0, line.x1) for line in lines if line.xref != "x domain"] == [(60_000, 60_000)]
    assert [(line.y0, line.y1) for line in lines if line.xref == "x domain"] == [(0.45, 0.45)]
    assert not front_figure(mixed, Axes("macs", "size_bytes")).layout.shapes
    assert "no axis here" in front_caption(mixed, Axes("macs", "size_bytes"))
    assert "no axis here" not in front_caption(mixed, Axes("params", "latency_ms"))


def test_the_caption_names_what_is_lacking(timed: Study) -> None:
    said = front_caption(timed, Axes("latency_ms", "params"))
    assert "without" not in said
    assert "The networks below, at the right end, have no measured latency." in said
    said = front_caption(timed, Axes("params", "training_seconds"))
    assert "The strip below holds networks without a training time." in said
    assert "right end" not in said


def test_scales_are_as_asked(mixed: Study) -> None:
    layout = front_figure(mixed, Axes("params", "latency_ms", log_x=True, log_y=True)).layout
    assert (layout.xaxis.type, layout.yaxis.type) == ("log", "log")
    layout = front_figure(mixed, Axes("macs", "latency_ms", log_x=False)).layout
    assert (layout.xaxis.type, layout.yaxis.type) == ("linear", "linear")
    assert front_figure(mixed, Axes("macs", "accuracy")).layout.xaxis.type == "log"


def test_error_bars_lie_along_the_latency(mixed: Study) -> None:
    up = front_figure(mixed, Axes("params", "latency_ms"))
    assert any(trace.error_y.array is not None for trace in up.data)
    assert all(trace.error_x.array is None for trace in up.data)
    assert all(trace.error_y.array is None for trace in front_figure(mixed).data)


def test_of_many_only_the_neighbourhood_has_error_bars(many: Study) -> None:
    assert len(evaluated(many)) > MANY
    drawn = [trace for trace in front_figure(many).data if trace.error_x.array is not None]
    costs = np.concatenate([trace.x for trace in drawn])
    near = front_and_below(many, len(many.front) + 100)
    assert sorted(costs) == sorted(trial.latency_ms or 0.0 for trial in near)
    numbers = [n for t in front_figure(many).data if t.customdata is not None for n in t.customdata]
    assert sorted(numbers) == [trial.number for trial in evaluated(many)]
    assert "what lies nearest" in front_caption(many)


def test_thousands_are_smaller_and_paler(mixed: Study) -> None:
    (few,) = (t for t in front_figure(mixed).data if t.meta == "dominated")
    crowd = with_trials(mixed, numbered(groups(mixed)["dominated"] * 320))
    (lots,) = (t for t in front_figure(crowd).data if t.meta == "dominated")
    assert lots.marker.size < few.marker.size
    assert lots.opacity < few.opacity


def test_numbers_are_sent_packed(mixed: Study) -> None:
    figure = json.loads(front_figure(mixed).to_json())
    front = next(trace for trace in figure["data"] if trace.get("meta") == "front")
    for name in ("x", "y", "customdata"):
        assert set(front[name]) == {"dtype", "bdata"}
    assert front["customdata"]["dtype"] == "i4", "what page.js unpacks"
    numbers = np.frombuffer(base64.b64decode(front["customdata"]["bdata"]), "<i4")
    assert numbers.tolist() == [trial.number for trial in mixed.front]


def test_ten_thousand_trials_are_drawn_at_once(mixed: Study) -> None:
    large = with_trials(mixed, numbered(every_status(mixed, 100) * 100))
    began = time.process_time()
    text = front_figure(large).to_json()
    assert time.process_time() - began < 2.0  # 0.15 on a machine with nothing else to do
    assert len(text) < 250 * len(large.trials)


@pytest.fixture(scope="module")
def sunk(mixed: Study) -> Study:
    """Two of the stopped networks had come to 10 % and less, far below all that were trained."""
    stopped = {trial.number for trial in groups(mixed)["stopped"]}
    low = dict(zip(sorted(stopped), (0.1, 0.0), strict=False))

    def sunken(trial: Trial) -> Trial:
        if trial.status == "trained":
            return replace(trial, accuracy=0.7 + 0.2 * (trial.accuracy or 0.0))
        seen = low.get(trial.number, 0.7)
        return replace(trial, curve=tuple(replace(one, accuracy=seen) for one in trial.curve))

    return with_trials(mixed, [sunken(trial) for trial in mixed.trials])


def test_a_network_stopped_far_below_does_not_flatten_the_front(sunk: Study) -> None:
    found = clipped(sunk, Axes.of(sunk.record.goals))
    assert found is not None
    assert found.below == 2
    trained = [trial.accuracy for trial in sunk.trials if trial.status == "trained"]
    low, high = min(trained), max(trained)
    assert 0 <= found.ends[0] == pytest.approx(low - (high - low))
    for window in (None, Window()):
        axis = front_figure(sunk, window=window).layout.yaxis
        assert axis.autorangeoptions.clipmin == found.ends[0]
        room = axis.autorangeoptions.clipmax - found.ends[1]
        assert 0 < room < 0.1 * (found.ends[1] - found.ends[0]), "no accuracy above 100 %"
        assert axis.range is None, "it grows with what comes in"
    said = front_caption(sunk)
    assert "2 of them lie below what is shown" in said


@pytest.mark.parametrize(
    "axes", [Axes("latency_ms", "params"), Axes("latency_ms", "accuracy", log_y=True)]
)
def test_only_a_linear_axis_of_accuracies_is_clipped(sunk: Study, axes: Axes) -> None:
    assert front_figure(sunk, axes).layout.yaxis.autorangeoptions.clipmin is None
    assert "below what is shown" not in front_caption(sunk, axes)


def test_stopped_networks_near_the_others_are_all_shown(mixed: Study) -> None:
    own = Axes.of(mixed.record.goals)
    assert front_figure(mixed).layout.yaxis.autorangeoptions.clipmin is None
    assert "below what is shown" not in front_caption(mixed, own)
    assert clipped(with_trials(mixed, groups(mixed)["stopped"]), own) is None


@pytest.mark.parametrize(
    ("quantity", "form"),
    [("latency_ms", ":.4~g}"), ("training_seconds", ":.4~g}"), ("params", ":.4~s}")],
)
def test_times_are_told_without_a_prefix(timed: Study, quantity: str, form: str) -> None:
    texts = [trace.hovertemplate for trace in front_figure(timed, Axes(quantity, "macs")).data]
    (line,) = {line for text in texts if text for line in text.split("<br>") if "%{x" in line}
    assert line.removesuffix("<extra></extra>").endswith(form)
