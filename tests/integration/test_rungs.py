"""Trials in rungs: reported, stopped, taken up again after a kill, begun with others' weights."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers import ROOT, stripes, tiny_space
from integration.storages import optuna_study
from integration.studies import digits, fake_search
from optuna.trial import TrialState
from safetensors.numpy import load_file

from mbnas.engine import PackedEngine
from mbnas.errors import StudyError
from mbnas.search import Search, Trial, maximize, minimize, open_study
from mbnas.search.evaluation import CURVE
from mbnas.search.stopping import Stop
from mbnas.search.warm_start import shared_parameters
from mbnas.testing import FakeLatencyMeter, FakeTrainer
from mbnas.training.recipe import Recipe
from mbnas.training.torch_trainer import TorchTrainer

RECIPE = Recipe(epochs=3, rungs=(1, 2), precision="float32")


class StopEverySecond:
    """Stops trials with odd numbers at their second rung."""

    def __init__(self) -> None:
        self.asked: list[tuple[int, int]] = []

    def before_training(self, trial: Trial, finished: Sequence[Trial]) -> Stop | None:
        assert trial.latency is not None
        assert not trial.curve
        return Stop("hopeless", 0.25) if trial.number % 5 == 4 else None

    def at_rung(self, trial: Trial, finished: Sequence[Trial]) -> Stop | None:
        assert trial.latency is not None
        self.asked.append((trial.number, len(trial.curve)))
        hopeless = trial.number % 2 == 1 and len(trial.curve) == 2
        return Stop("no use", 0.5) if hopeless else None


def test_trials_are_asked_about_at_their_rungs_and_may_be_stopped(tmp_path: Path) -> None:
    stopping = StopEverySecond()
    search = fake_search(
        tmp_path / "study", trainer=FakeTrainer(epochs=3), recipe=RECIPE, stopping=stopping
    )
    study = search.run(trials=10)
    own = [trial for trial in study.trials if trial.status != "reused"]
    begun = [trial for trial in own if trial.number % 5 != 4]
    assert stopping.asked == [(trial.number, rung) for trial in begun for rung in (1, 2)]
    for trial in own:
        if trial not in begun:
            assert (trial.status, trial.reason) == ("untrained", "hopeless")
            assert (trial.expected_accuracy, trial.curve) == (0.25, ())
        elif trial.number % 2:
            assert (trial.status, trial.reason, trial.accuracy) == ("stopped", "no use", None)
            assert trial.expected_accuracy == 0.5
            assert len(trial.curve) == 2
        else:
            assert (trial.status, len(trial.curve)) == ("trained", 3)
    assert all(member.number % 2 == 0 for member in study.front)
    told = optuna_study(study.folder)
    assert {trial.status for trial in own} == {"trained", "untrained", "stopped"}
    for trial in own:
        frozen = told.get_trials(deepcopy=False)[trial.number]
        expected = TrialState.COMPLETE if trial.status == "trained" else TrialState.PRUNED
        assert frozen.state == expected
    for trial in begun:
        frozen = told.get_trials(deepcopy=False)[trial.number]
        assert [row[0] for row in frozen.user_attrs[CURVE]] == [1, 2]
    assert not list(study.folder.trials.glob("*/checkpoint*"))


def torch_trainer() -> TorchTrainer:
    part, held_out = stripes(256), stripes(128, seed=1)
    return TorchTrainer(part, held_out, 2, RECIPE, flip=True, crop=True, device="cpu")


# The first training kills its own process as soon as some epoch is over, each time one later.
KILLED = """
import os, signal, sys
sys.path.insert(0, "tests")
from pathlib import Path
import torch
torch.set_num_threads(1)
from integration.studies import fake_search
from integration.test_rungs import RECIPE, torch_trainer
from mbnas.search import Observer

class Kill(Observer):
    def epoch_ended(self, number, epoch):
        print(epoch.epoch, flush=True)
        os.kill(os.getpid(), signal.SIGKILL)

search = fake_search(Path(sys.argv[1]), trainer=torch_trainer(), recipe=RECIPE)
search.run(trials=1, observer=Kill() if sys.argv[2] == "kill" else None)
"""


def test_killed_after_each_epoch_a_trial_comes_to_the_same_weights(tmp_path: Path) -> None:
    def run(study: str, how: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-c", KILLED, str(tmp_path / study), how]
        return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)

    fake_search(tmp_path / "unbroken", trainer=torch_trainer(), recipe=RECIPE).run(trials=1)
    told = [run("killed", "kill").stdout.split() for _ in range(3)]
    assert told == [["1"], ["2"], ["3"]]
    last = run("killed", "let live")
    assert last.returncode == 0, last.stderr
    (one,), (other,) = (open_study(tmp_path / name).trials for name in ("killed", "unbroken"))
    assert [(e.loss, e.accuracy) for e in one.curve] == [(e.loss, e.accuracy) for e in other.curve]
    weights, expected = (
        load_file(tmp_path / name / "trials" / "00000" / "weights.safetensors")
        for name in ("killed", "unbroken")
    )
    assert weights.keys() == expected.keys()
    for name, value in weights.items():
        np.testing.assert_array_equal(value, expected[name], err_msg=name)


def test_trainings_may_begin_with_the_weights_of_a_similar_network(tmp_path: Path) -> None:
    recipe = Recipe(epochs=1)
    trainer = torch_trainer().with_recipe(recipe)

    def search(name: str, *, warm_start: bool) -> Search:
        return fake_search(tmp_path / name, trainer=trainer, recipe=recipe, warm_start=warm_start)

    study = search("warm", warm_start=True).run(trials=8)
    warm = [trial for trial in study.trials if trial.started_from is not None]
    assert warm
    for trial in warm:
        assert trial.started_from is not None
        source = study.trial(trial.started_from)
        assert source.number < trial.number
        assert shared_parameters(trial.architecture, source.architecture) > 0.25
    cold = search("cold", warm_start=False).run(trials=4)
    assert all(trial.started_from is None for trial in cold.trials)
    with pytest.raises(StudyError, match="warm start: True there, False now"):
        search("warm", warm_start=False).run(trials=7)


class Uneven(FakeTrainer):
    """Whose balanced accuracy falls as its accuracy rises."""

    def _epoch(self, *arguments: Any) -> Any:
        epoch = super()._epoch(*arguments)
        return type(epoch)(
            epoch.epoch, epoch.loss, epoch.accuracy, 1 - epoch.accuracy, epoch.seconds
        )


def test_balanced_accuracy_may_be_what_is_searched_for(tmp_path: Path) -> None:
    def study(quality: str) -> Any:
        objectives = [maximize(quality), minimize("latency_ms")]
        folder = tmp_path / quality
        return fake_search(folder, trainer=Uneven(), objectives=objectives).run(trials=12)

    plain, balanced = study("accuracy"), study("balanced_accuracy")
    assert balanced.record.goals.quantities == ("balanced_accuracy", "latency_ms")
    values = [member.balanced_accuracy for member in balanced.front]
    assert values == sorted(values)
    best = max(trial.balanced_accuracy for trial in balanced.trials)
    assert balanced.front[-1].balanced_accuracy == best
    assert plain.front[-1].accuracy == max(trial.accuracy for trial in plain.trials)
    told = optuna_study(balanced.folder)
    first = balanced.trials[0]
    assert told.trials[0].values == [first.balanced_accuracy, first.latency_ms]
    assert told.metric_names == ["balanced_accuracy", "latency_ms"]


def test_a_study_keeps_its_recipe_and_the_precision_it_settled_on(tmp_path: Path) -> None:
    def search(**recipe: Any) -> Search:
        return Search(
            tiny_space(),
            digits(),
            study=tmp_path / "study",
            recipe=Recipe(epochs=1, **recipe),
            meter=FakeLatencyMeter(),
            device="cpu",
        )

    study = search().run(trials=1)
    assert study.record.recipe.precision in ("float32", "bfloat16")
    assert search().run(trials=2).trials
    with pytest.raises(StudyError, match=r"mixup: 0\.0 there, 0\.5 now"):
        search(mixup=0.5).run(trials=3)


def test_several_at_once_search_as_reproducibly_as_one(tmp_path: Path) -> None:
    def ids(name: str, slow: Callable[[int], float]) -> list[str]:
        class Uneven(FakeTrainer):
            """Takes its time by turns."""

            def train(self, *arguments: Any) -> Any:
                self.seconds_per_epoch = slow(len(self.trained))
                return super().train(*arguments)

        search = fake_search(tmp_path / name, trainer=Uneven(), pack=3)
        return [trial.architecture.id for trial in search.run(trials=30).trials]

    assert ids("one", lambda _: 0.0) == ids("other", lambda at: 0.01 * (at % 3))


def test_a_pack_is_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    packs: list[int] = []

    class Seen(PackedEngine):
        def __init__(self, *arguments: Any) -> None:
            super().__init__(*arguments)
            packs.append(self.capacity - 1)

    monkeypatch.setattr("mbnas.engine.make.PackedEngine", Seen)
    fake_search(tmp_path / "study", pack=3).run(trials=2)
    assert packs == [3]
    with pytest.raises(StudyError, match="pack = 0"):
        fake_search(tmp_path / "study", pack=0)
