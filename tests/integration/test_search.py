"""Whole searches with fakes: order, limits, reuse, repetition, failures."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from statistics import median, quantiles
from typing import Any

import numpy as np
import optuna
import pytest
from helpers import some_architectures, stripes, tiny_space
from integration.studies import fake_search
from numpy.typing import NDArray
from optuna.samplers import BaseSampler, NSGAIISampler, RandomSampler
from optuna.trial import TrialState

from mbnas.errors import StudyError
from mbnas.measure.latency import OrtLatencyMeter
from mbnas.network import Architecture, costs
from mbnas.search import (
    SAMPLERS,
    Found,
    Limit,
    Observer,
    Search,
    Snapshot,
    Study,
    Trial,
    maximize,
    minimize,
    open_study,
)
from mbnas.search.samplers import POPULATION_SIZE
from mbnas.search.steered import Steering
from mbnas.space import make_space
from mbnas.testing import FakeLatencyMeter, FakeTrainer, fake_accuracy, fake_latency_ms
from mbnas.training.recipe import Recipe
from mbnas.training.torch_trainer import TorchTrainer
from mbnas.training.trainer import NonFiniteLossError


def ids(study: Study) -> list[str]:
    return [trial.architecture.id for trial in study.trials]


def test_results_are_those_of_their_networks(tmp_path: Path) -> None:
    study = fake_search(tmp_path / "study").run(trials=12)
    assert len(study.trials) >= 12
    for trial in study.trials:
        assert trial.accuracy == fake_accuracy(trial.architecture)
        assert trial.latency_ms == fake_latency_ms(trial.architecture)
        assert trial.architecture.id == study.space.architecture(trial.params).id
    assert study.front
    assert study.hypervolume > 0


def test_no_network_is_trained_twice(tmp_path: Path) -> None:
    trainer, meter = FakeTrainer(), FakeLatencyMeter()
    study = fake_search(tmp_path / "study", trainer=trainer, meter=meter).run(trials=80)
    assert len(trainer.trained) == len(set(trainer.trained)) == 80
    reused = [trial for trial in study.trials if trial.status == "reused"]
    assert reused, "80 of 1,728 points, and many spell one network: some must repeat"
    for trial in reused:
        assert trial.reused_from is not None
        source = study.trial(trial.reused_from)
        assert source.architecture.id == trial.architecture.id
        assert (source.accuracy, source.latency) == (trial.accuracy, trial.latency)
    assert all(trial.status == "trained" for trial in study.front)


def test_a_small_space_is_searched_to_its_end_and_no_further(tmp_path: Path) -> None:
    space = make_space("three", resolution=8, stages=[{"width": [4, 8, 12]}])
    study = fake_search(tmp_path / "study", space=space, sampler="random").run(trials=100)
    assert len({trial.architecture.id for trial in study.trials}) == 3
    assert sum(trial.status == "trained" for trial in study.trials) == 3
    said: list[int] = []

    class Watching(Observer):
        def space_used_up(self, repeats: int) -> None:
            said.append(repeats)

    fake_search(tmp_path / "study", space=space, sampler="random").run(
        trials=100, observer=Watching()
    )
    assert len(said) == 1


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_same_seed_same_networks_in_the_same_order(sampler: str, tmp_path: Path) -> None:
    trials = 3 * POPULATION_SIZE if sampler == "nsga2" else 16
    first, second, other = (
        fake_search(tmp_path / name, sampler=sampler, seed=seed).run(trials)
        for name, seed in (("first", 1), ("second", 1), ("other", 2))
    )
    assert ids(first) == ids(second)
    assert ids(first) != ids(other)


def test_three_generations_of_nsga2_learn(tmp_path: Path) -> None:
    study = fake_search(tmp_path / "study", sampler="nsga2").run(trials=3 * POPULATION_SIZE)
    frozen = optuna.load_study(
        study_name="study", storage=f"sqlite:///{study.folder.database}"
    ).get_trials()
    generations = {trial.system_attrs.get("NSGAIISampler:generation") for trial in frozen}
    assert {0, 1, 2} <= generations


@pytest.mark.parametrize("sampler", [*SAMPLERS, RandomSampler(seed=3), NSGAIISampler(seed=3)])
def test_every_sampler_searches_under_limits(sampler: str | BaseSampler, tmp_path: Path) -> None:
    trainer, meter = FakeTrainer(), FakeLatencyMeter()
    networks = some_architectures(tiny_space(), 50)
    most_ms = median(fake_latency_ms(network) for network in networks)
    most_params = quantiles((costs(n.lower(10)).params for n in networks), n=4)[2]
    study = fake_search(
        tmp_path / "study",
        sampler=sampler,
        trainer=trainer,
        meter=meter,
        objectives=[maximize("accuracy"), minimize("latency_ms", limit=most_ms)],
        limits=[Limit("params", most_params)],
    ).run(trials=30)
    for trial in study.trials:
        assert trial.latency_ms is None or trial.latency_ms == fake_latency_ms(trial.architecture)
        if trial.costs.params > most_params:
            assert trial.status in ("untrained", "reused")
            assert trial.latency is None, "arithmetic alone must end it"
            assert "params" in (trial.reason or "")
        elif trial.latency is not None and trial.latency.high_ms > most_ms:
            assert trial.accuracy is None
            assert "latency_ms" in (trial.reason or "")
        else:
            assert trial.accuracy is not None
    own = [trial for trial in study.trials if trial.status != "reused"]
    if sampler == "known_cost":  # it knows the arithmetic, and soon the latencies
        assert all(trial.costs.params <= most_params for trial in own)
        assert sum(trial.status == "trained" for trial in own) > 20
    else:
        assert {trial.status for trial in own} == {"trained", "untrained"}
        assert any(trial.latency is None for trial in own)
        assert any(trial.latency is not None and trial.accuracy is None for trial in own)
    assert len(trainer.trained) == sum(trial.status == "trained" for trial in own)
    assert study.record.reference_cost == most_ms


def test_a_network_far_above_a_limit_by_prediction_is_not_even_measured(tmp_path: Path) -> None:
    class Predicts:
        def predict(self, architectures: Sequence[Architecture]) -> NDArray[np.float64]:
            return np.array([1.1 * fake_latency_ms(one) for one in architectures])

    networks = some_architectures(tiny_space(), 50)
    most_ms = quantiles((fake_latency_ms(network) for network in networks), n=4)[0]
    study = fake_search(
        tmp_path / "study",
        predictor=Predicts(),
        objectives=[maximize("accuracy"), minimize("latency_ms", limit=most_ms)],
    ).run(trials=40)
    own = [trial for trial in study.trials if trial.status != "reused"]
    unmeasured = [trial for trial in own if trial.latency is None]
    assert unmeasured
    for trial in own:
        predicted = 1.1 * fake_latency_ms(trial.architecture)
        assert trial.predicted_ms == pytest.approx(predicted)
        assert (trial.latency is None) == (0.75 * predicted > most_ms)
    for trial in unmeasured:
        assert trial.status == "untrained"
        assert trial.latency_ms is None, "what is reported is measured"
        assert "predicted" in (trial.reason or "")
    asked = optuna.load_study(
        study_name="study", storage=f"sqlite:///{tmp_path / 'study' / 'study.db'}"
    ).get_trials()
    assert all(asked[trial.number].state == TrialState.COMPLETE for trial in unmeasured)
    assert all(asked[trial.number].constraints["latency_ms"] > 0 for trial in unmeasured)


def test_a_training_that_leaves_the_cores_free_is_measured_beside(tmp_path: Path) -> None:
    """Two trials are under way at once: none twice, and the order does not depend on time."""
    space = tiny_space(resolution=8, defaults={"block": "mbconv", "expansion": 2, "kernel": 3})
    orders = []
    for name, pause in (("first", 0.0), ("second", 0.02)):
        trainer = FakeTrainer(seconds_per_epoch=pause)
        study = fake_search(
            tmp_path / name,
            space=space,
            sampler="random",
            trainer=trainer,
            meter=OrtLatencyMeter(seconds=0.02),
        ).run(trials=12)
        assert len(set(trainer.trained)) == len(trainer.trained) == 12
        assert any(trial.status == "reused" for trial in study.trials)
        assert all(trial.latency_ms for trial in study.trials)
        orders.append(ids(study))
    assert orders[0] == orders[1]


def test_an_impossible_limit_is_refused_before_anything_is_made(tmp_path: Path) -> None:
    trainer = FakeTrainer()
    search = fake_search(
        tmp_path / "study",
        trainer=trainer,
        objectives=[maximize("accuracy"), minimize("latency_ms", limit=1e-4)],
    )
    with pytest.raises(StudyError, match=r"limit latency_ms = 0\.0001: no network .* needs"):
        search.run(trials=5)
    assert not (tmp_path / "study" / "study.json").exists()
    assert not trainer.trained


def test_optuna_sees_limits_as_constraints(tmp_path: Path) -> None:
    fake_search(tmp_path / "study", limits=[Limit("params", 4000)]).run(trials=20)
    study = optuna.load_study(
        study_name="study", storage=f"sqlite:///{tmp_path / 'study' / 'study.db'}"
    )
    assert study.metric_names == ["accuracy", "latency_ms"]
    for frozen in study.get_trials():
        broken = frozen.user_attrs["result"]["costs"]["params"] > 4000
        assert frozen.state == TrialState.COMPLETE
        assert (frozen.constraints["params"] > 0) == broken
        assert (frozen.values[0] == 0) == broken
    assert {trial.user_attrs["result"]["status"] for trial in study.best_trials} <= {
        "trained",
        "reused",
    }


def test_a_failed_trial_keeps_its_reason_and_the_search_goes_on(tmp_path: Path) -> None:
    def lose_some(architecture: Architecture) -> None:
        if int(architecture.id, 16) % 3 == 0:
            raise NonFiniteLossError("epoch 2: the training loss is nan")

    study = fake_search(tmp_path / "study", trainer=FakeTrainer(before=lose_some)).run(trials=20)
    failed = [trial for trial in study.trials if trial.status == "failed"]
    assert failed
    assert {(trial.failure, trial.reason) for trial in failed} == {
        ("non-finite", "non-finite: epoch 2: the training loss is nan")
    }
    log = study.folder.log_file(failed[0].number).read_text()
    assert log.startswith("Traceback")
    assert log.endswith("NonFiniteLossError: epoch 2: the training loss is nan")
    assert all(trial.accuracy is None for trial in failed)
    frozen = optuna.load_study(
        study_name="study", storage=f"sqlite:///{study.folder.database}"
    ).get_trials()
    assert {t.number for t in frozen if t.state == TrialState.FAIL} >= {t.number for t in failed}


def test_a_fault_of_the_program_stops_the_search_and_loses_nothing(tmp_path: Path) -> None:
    trained: list[str] = []

    def break_down(architecture: Architecture) -> None:
        if len(trained) == 5:
            raise ZeroDivisionError("a bug")
        trained.append(architecture.id)

    with pytest.raises(ZeroDivisionError):
        fake_search(tmp_path / "study", trainer=FakeTrainer(before=break_down)).run(trials=20)
    assert len(open_study(tmp_path / "study").trials) >= 5
    assert len(fake_search(tmp_path / "study").run(trials=8).trials) >= 8


def test_going_on_gives_what_an_unbroken_run_gives(tmp_path: Path) -> None:
    whole = fake_search(tmp_path / "whole", sampler="tpe").run(trials=30)
    for trials in (7, 8, 21, 30):
        parts = fake_search(tmp_path / "parts", sampler="tpe").run(trials=trials)
    assert ids(parts) == ids(whole)
    assert [trial.number for trial in parts.front] == [trial.number for trial in whole.front]


def test_the_search_says_what_it_found_and_how_it_goes(tmp_path: Path) -> None:
    told: list[tuple[Any, ...]] = []

    class Watching(Observer):
        def search_began(self, found: Found, snapshot: Snapshot) -> None:
            told.append((found.finished, found.broken_off))

        def trial_ended(self, trial: Trial, snapshot: Snapshot) -> None:
            told.append((trial.number, snapshot.evaluated, len(snapshot.front)))

    fake_search(tmp_path / "study").run(trials=3, observer=Watching())
    fake_search(tmp_path / "study").run(trials=5, observer=Watching())
    assert told[0] == (0, 0)
    assert (3, 0) in told
    assert told[-1][1] == 5


def test_time_ends_a_search_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    trainer = FakeTrainer()
    a_second_each = property(lambda _: float(len(trainer.trained)))
    monkeypatch.setattr(Steering, "elapsed", a_second_each)
    study = fake_search(tmp_path / "study", trainer=trainer).run(seconds=3)
    assert len(study.trials) == len(trainer.trained) == 3


def test_a_trainer_that_is_handed_over_brings_its_recipe(tmp_path: Path) -> None:
    """And the same call goes on."""

    def search() -> Search:
        recipe = Recipe(epochs=2, rungs=(1,), label_smoothing=0.2)
        parts = stripes(64), stripes(32, seed=1)
        trainer = TorchTrainer(*parts, 2, recipe, flip=True, crop=True, device="cpu")
        return fake_search(tmp_path / "study", trainer=trainer)

    search().run(trials=1)
    study = search().run(trials=2)
    assert study.record.recipe.label_smoothing == 0.2
    assert [len(trial.curve) for trial in study.trials] == [2, 2]


def test_one_of_ones_own_says_how_long_it_trains(tmp_path: Path) -> None:
    study = fake_search(tmp_path / "study", trainer=FakeTrainer(epochs=7)).run(trials=1)
    assert study.record.recipe.epochs == 7
    with pytest.raises(StudyError, match=r"recipe.epochs = 5: the trainer's are 7"):
        fake_search(tmp_path / "other", trainer=FakeTrainer(epochs=7), recipe=Recipe(epochs=5))


def test_no_objectives_are_not_the_usual_ones(tmp_path: Path) -> None:
    with pytest.raises(StudyError, match="objectives = none"):
        fake_search(tmp_path / "study", objectives=[])
