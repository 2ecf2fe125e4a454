"""A search ends within a rung of its budget, and where its trials fail too often."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from integration.studies import fake_search

from mbnas.errors import StudyError
from mbnas.measure.latency import Latency
from mbnas.model import AnyNetwork
from mbnas.network import Architecture
from mbnas.search import Limit, Observer, Snapshot, Trial, open_study
from mbnas.search.ledger import FAILED_AT_FIRST, FAILED_IN_A_ROW
from mbnas.search.storage import open_optuna_study
from mbnas.search.study import broken_off
from mbnas.testing import FakeLatencyMeter, FakeTrainer
from mbnas.training.recipe import Recipe
from mbnas.training.trainer import NonFiniteLossError

RECIPE = Recipe(epochs=12, rungs=(3, 6))


def in_rungs(study: Path, **changes: object) -> Callable[..., object]:
    return fake_search(
        study, recipe=RECIPE, trainer=FakeTrainer(epochs=RECIPE.epochs), **changes
    ).run


def laid_down(study: Path) -> list[int]:
    folder = open_study(study).folder
    return [one.number for one in broken_off(open_optuna_study(folder, folder.read()[0]))]


def test_epochs_in_all_end_a_search_at_a_rung(tmp_path: Path) -> None:
    study = tmp_path / "study"
    in_rungs(study)(epochs=40)  # three trials of 12, and 4 epochs of the fourth
    found = open_study(study)
    assert [len(trial.curve) for trial in found.trials] == [12, 12, 12]
    assert laid_down(study) == [3]
    assert found.folder.checkpoint(3).read_text().split()[1] == "6", "the rung after the 4th epoch"


class Heard(Observer):
    """What is said of a search's end."""

    def __init__(self) -> None:
        self.time_was_up: list[int] = []
        self.waited: list[int] = []

    def time_is_up(self, trials: int) -> None:
        self.time_was_up.append(trials)

    def trials_wait(self, trials: int) -> None:
        self.waited.append(trials)


def test_it_is_said_that_time_is_up_and_what_waits_for_its_turn(tmp_path: Path) -> None:
    numbers: dict[str, int] = {}
    failed = threading.Event()

    class Watches(Heard):
        def trial_began(self, number: int, architecture: Architecture) -> None:
            numbers[architecture.id] = number

    def trial_1_fails_first(network: AnyNetwork) -> None:
        if numbers[network.id] == 1:
            failed.set()
            raise NonFiniteLossError("of trial 1")
        assert failed.wait(60)

    trainer = FakeTrainer(epochs=12, before=trial_1_fails_first)
    search = fake_search(tmp_path / "study", recipe=RECIPE, trainer=trainer, pack=2)
    heard: Heard = Watches()
    study = search.run(epochs=1, observer=heard)
    assert [trial.status for trial in study.trials] == ["failed"]
    assert heard.waited == [1]
    assert all(heard.time_was_up)
    heard = Heard()
    again = fake_search(tmp_path / "study", recipe=RECIPE, trainer=FakeTrainer(12), pack=2)
    again.run(trials=3, observer=heard)
    assert (heard.time_was_up, heard.waited) == ([], [])


def test_several_at_once_are_all_laid_down_at_their_next_rung(tmp_path: Path) -> None:
    study = tmp_path / "study"
    every_epoch = Recipe(epochs=12, rungs=tuple(range(1, 12)))
    trainer = FakeTrainer(epochs=12, seconds_per_epoch=0.01)
    heard: list[int] = []

    class Listener(Observer):
        def epoch_ended(self, number: int, epoch: object) -> None:
            heard.append(number)

    search = fake_search(study, recipe=every_epoch, trainer=trainer, pack=4)
    search.run(epochs=8, observer=Listener())
    assert set(heard) <= set(laid_down(study)), "none was trained to its end"
    assert 8 <= len(heard) <= 8 + 4, "each of those in training ends the epoch that it is in"


def test_what_is_not_begun_when_time_is_over_is_begun_by_the_next_search(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    study = tmp_path / "study"
    measured = 0

    class Counts(FakeLatencyMeter):
        """By the search's own clock a measurement takes a second."""

        def measure(self, architectures: Sequence[Architecture], classes: int) -> list[Latency]:
            nonlocal measured
            measured += 1
            return super().measure(architectures, classes)

    monkeypatch.setattr(
        "mbnas.search.steered.Steering.elapsed", property(lambda _: float(measured))
    )
    heard: list[object] = []

    class Listener(Observer):
        def epoch_ended(self, number: int, epoch: object) -> None:
            heard.append(epoch)

    search = fake_search(study, meter=Counts())
    search.run(seconds=2, observer=Listener())  # one was measured when the study was made
    assert not heard
    assert laid_down(study) == [0]
    assert fake_search(study).run(trials=1).trials[0].status == "trained"


def test_the_next_search_goes_on_at_that_rung_and_counts_what_was_trained(tmp_path: Path) -> None:
    study = tmp_path / "study"
    in_rungs(study)(epochs=40)
    heard: list[tuple[int, int]] = []

    class Listener(Observer):
        def epoch_ended(self, number: int, epoch: object) -> None:
            heard.append((number, epoch.epoch))  # type: ignore[attr-defined]

    in_rungs(study)(epochs=60, observer=Listener())
    assert heard[0] == (3, 7)
    found = open_study(study)
    assert [len(trial.curve) for trial in found.trials] == [12] * 5
    whole = tmp_path / "whole"
    in_rungs(whole)(epochs=60)
    assert [t.architecture.id for t in found.trials] == [
        t.architecture.id for t in open_study(whole).trials
    ]


def test_the_same_call_again_trains_nothing_more(tmp_path: Path) -> None:
    study = tmp_path / "study"
    in_rungs(study)(epochs=40)
    trainer = FakeTrainer(epochs=RECIPE.epochs, before=fail)  # nothing is to be begun
    heard: list[object] = []

    class Listener(Observer):
        def epoch_ended(self, number: int, epoch: object) -> None:
            heard.append(epoch)

    fake_search(study, recipe=RECIPE, trainer=trainer).run(epochs=40, observer=Listener())
    assert not heard
    assert laid_down(study) == [3]


def test_time_ends_a_search_at_a_rung(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    study = tmp_path / "study"
    epochs = 0

    class Count(Observer):
        """By the search's own clock an epoch takes a second."""

        def epoch_ended(self, number: int, epoch: object) -> None:
            nonlocal epochs
            epochs += 1

    monkeypatch.setattr("mbnas.search.steered.Steering.elapsed", property(lambda _: float(epochs)))
    fake_search(study, recipe=RECIPE, trainer=FakeTrainer(epochs=12)).run(
        seconds=28, observer=Count()
    )
    assert [len(trial.curve) for trial in open_study(study).trials] == [12, 12]
    assert laid_down(study) == [2]
    assert epochs == 30, "28 s are over in the 28th epoch; the rung is at the 30th"


def test_trials_begun_by_then_are_evaluated_to_their_end(tmp_path: Path) -> None:
    study = tmp_path / "study"
    in_rungs(study, pack=3)(trials=4)
    assert len(open_study(study).trials) == 4
    assert not laid_down(study)


def fail(_: Architecture) -> None:
    raise NonFiniteLossError("epoch 1: the training loss is nan")


def test_a_search_of_failures_alone_ends_and_says_why(tmp_path: Path) -> None:
    study = tmp_path / "study"
    with pytest.raises(StudyError) as caught:
        fake_search(study, trainer=FakeTrainer(before=fail)).run(trials=50)
    said = str(caught.value)
    assert f"{FAILED_AT_FIRST} trials in a row failed ({FAILED_AT_FIRST} × non-finite)" in said
    assert "the training loss is nan" in said
    found = open_study(study)
    assert len(found.trials) == FAILED_AT_FIRST
    log = found.folder.log_file(found.trials[-1].number)
    assert str(log) in said
    assert "NonFiniteLossError" in log.read_text()
    assert "\n" not in said


def test_after_the_mend_the_same_command_goes_on(tmp_path: Path) -> None:
    study = tmp_path / "study"
    with pytest.raises(StudyError, match="in a row failed"):
        fake_search(study, trainer=FakeTrainer(before=fail)).run(trials=12)
    found = fake_search(study).run(trials=12)
    assert {trial.status for trial in found.trials[FAILED_AT_FIRST:]} <= {"trained", "reused"}


def test_a_search_that_began_well_bears_more(tmp_path: Path) -> None:
    begun = 0

    def fail_from_the_fourth(architecture: Architecture) -> None:
        nonlocal begun
        begun += 1
        if begun > 3:
            fail(architecture)

    failed: list[Trial] = []

    class Listener(Observer):
        def trial_ended(self, trial: Trial, snapshot: Snapshot) -> None:
            if trial.status == "failed":
                failed.append(trial)

    with pytest.raises(StudyError, match=f"{FAILED_IN_A_ROW} trials in a row failed"):
        fake_search(tmp_path / "study", trainer=FakeTrainer(before=fail_from_the_fourth)).run(
            trials=50, observer=Listener()
        )
    assert len(failed) == FAILED_IN_A_ROW


def test_networks_that_are_refused_do_not_hide_failures(tmp_path: Path) -> None:
    half = sorted(trial.costs.params for trial in fake_search(tmp_path / "o").run(12).trials)[6]
    search = fake_search(
        tmp_path / "study",
        sampler="random",
        trainer=FakeTrainer(before=fail),
        limits=[Limit("params", half)],
    )
    with pytest.raises(StudyError, match=f"{FAILED_AT_FIRST} trials in a row failed"):
        search.run(trials=200)
    statuses = [trial.status for trial in open_study(tmp_path / "study").trials]
    assert "untrained" in statuses
    assert statuses.count("failed") == FAILED_AT_FIRST


def test_failures_between_successes_end_nothing(tmp_path: Path) -> None:
    def fail_some(architecture: Architecture) -> None:
        if int(architecture.id, 16) % 3:
            fail(architecture)

    study = fake_search(tmp_path / "study", trainer=FakeTrainer(before=fail_some)).run(trials=20)
    assert {trial.failure for trial in study.trials if trial.status == "failed"} == {"non-finite"}
