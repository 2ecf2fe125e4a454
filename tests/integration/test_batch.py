"""With a batch of N, a search depends on the seed, N and what is measured, and on nothing else."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from helpers import tiny_space
from integration.studies import fake_search

from mbnas.engine import Engine, Job, Outcome
from mbnas.engine.work import evaluate
from mbnas.network import Architecture
from mbnas.search import Observer, Snapshot, Study, Trial
from mbnas.space import load_space
from mbnas.testing import FakeLatencyMeter, FakeTrainer
from mbnas.training.recipe import Recipe
from mbnas.training.trainer import Epoch

TRIALS = 30
RECIPE = Recipe(epochs=6, rungs=(2, 4))


class Shuffled:
    """An engine on which any of the jobs at work may be the first to end."""

    def __init__(self, seed: int, capacity: int) -> None:
        self.capacity = capacity
        self._draw = random.Random(seed)
        self._jobs: list[Job] = []
        self._trainer, self._meter = FakeTrainer(epochs=RECIPE.epochs), FakeLatencyMeter()
        self.most = 0

    def submit(self, job: Job) -> None:
        self._jobs.append(job)
        self.most = max(self.most, len(self._jobs))

    def wait(self, on_epoch: Callable[[int, Epoch], None]) -> Outcome:
        job = self._jobs.pop(self._draw.randrange(len(self._jobs)))
        return evaluate(
            job, self._trainer, self._meter, 10, on_epoch=on_epoch, on_wait=lambda: None
        )

    def halt(self) -> None: ...

    def close(self) -> None: ...


class KilledError(Exception):
    """Stands for a kill."""


class Fragile(Shuffled):
    """Ends the search at one of its outcomes, before it is told."""

    def __init__(self, seed: int, capacity: int, life: int) -> None:
        super().__init__(seed, capacity)
        self._life = life

    def wait(self, on_epoch: Callable[[int, Epoch], None]) -> Outcome:
        self._life -= 1
        if not self._life:
            raise KilledError
        return super().wait(on_epoch)


def searched(
    study: Path,
    engine: Engine,
    batch: int,
    monkeypatch: pytest.MonkeyPatch,
    seed: int = 0,
    epochs: int | None = None,
) -> Study:
    monkeypatch.setattr("mbnas.search.equipment.make_engine", lambda *_: engine)
    return fake_search(
        study,
        space=load_space("cifar_mobile"),
        trainer=FakeTrainer(epochs=RECIPE.epochs),
        recipe=RECIPE,
        sampler="tpe",
        stopping=True,
        batch=batch,
        seed=seed,
    ).run(trials=TRIALS, epochs=epochs)


def said(study: Study) -> Sequence[object]:
    """All that a search found, but for the time that it took."""
    return [
        (trial.number, trial.architecture.id, trial.status, trial.reason, len(trial.curve))
        for trial in study.trials
    ]


@pytest.mark.parametrize("batch", [1, 4])
def test_whoever_ends_first_the_search_is_the_same(
    batch: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = []
    for seed in range(2):
        engine = Shuffled(seed, capacity=5)  # the batch counts, not the room
        study = searched(tmp_path / str(seed), engine, batch, monkeypatch)
        assert engine.most <= batch
        found.append(said(study))
    assert found[0] == found[1]
    assert {one[2] for one in found[0]} >= {"trained", "stopped"}


def test_however_often_it_is_killed_the_search_is_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = searched(tmp_path / "whole", Shuffled(0, 4), 4, monkeypatch)
    kills = 0
    draw = random.Random(7)
    while True:
        engine = Fragile(kills + 1, 4, life=draw.randrange(1, 40))
        try:
            broken = searched(tmp_path / "broken", engine, 4, monkeypatch)
        except KilledError:
            kills += 1
        else:
            break
    assert kills >= 5
    assert said(broken) == said(whole)


def test_however_often_its_budget_ends_the_search_is_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = searched(tmp_path / "whole", Shuffled(0, 4), 4, monkeypatch)
    trained = sum(len(trial.curve) for trial in whole.trials)
    for at, epochs in enumerate(range(10, trained - 6, 5)):
        part = searched(tmp_path / "broken", Shuffled(at, 4), 4, monkeypatch, epochs=epochs)
        assert len(part.trials) < TRIALS
    broken = searched(tmp_path / "broken", Shuffled(9, 4), 4, monkeypatch)
    assert said(broken) == said(whole)


def test_a_network_that_comes_twice_is_trained_once_though_the_budget_ends_meanwhile(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stages = [{"width": [4, 8, 12], "stride": 2}, {"width": [8, 12], "stride": 2}]
    space = tiny_space(resolution=8, stages=stages)
    networks: dict[int, str] = {}
    trained: list[tuple[str, int]] = []

    class Listener(Observer):
        def trial_began(self, number: int, architecture: Architecture) -> None:
            networks[number] = architecture.id

        def epoch_ended(self, number: int, epoch: Epoch) -> None:
            trained.append((networks[number], epoch.epoch))

    for at, epochs in enumerate(range(3, 60, 3)):
        engine = Shuffled(100 + at, 4)
        monkeypatch.setattr("mbnas.search.equipment.make_engine", lambda *_, one=engine: one)
        study = fake_search(
            tmp_path / "study",
            space=space,
            trainer=FakeTrainer(epochs=RECIPE.epochs),
            recipe=RECIPE,
            sampler="random",
            batch=4,
            seed=1,
        ).run(epochs=epochs, observer=Listener())
    assert "reused" in {trial.status for trial in study.trials}
    assert len(trained) == len(set(trained))


def test_another_seed_or_batch_is_another_search(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = searched(tmp_path / "one", Shuffled(0, 4), 1, monkeypatch)
    other = searched(tmp_path / "other", Shuffled(0, 4), 1, monkeypatch, seed=1)
    wide = searched(tmp_path / "wide", Shuffled(0, 4), 8, monkeypatch)
    assert said(one) != said(other)
    assert said(one) != said(wide)


def test_without_a_batch_a_slow_trial_keeps_nobody_waiting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Last(Shuffled):
        """Ends the first trial it was given only when nothing else is left."""

        def wait(self, on_epoch: Callable[[int, Epoch], None]) -> Outcome:
            self._jobs.sort(key=lambda job: job.trial == 0)
            job = self._jobs.pop(0)
            return evaluate(
                job, self._trainer, self._meter, 10, on_epoch=on_epoch, on_wait=lambda: None
            )

    monkeypatch.setattr("mbnas.search.equipment.make_engine", lambda *_: Last(0, 3))
    study = fake_search(
        tmp_path / "study", space=load_space("cifar_mobile"), engine="workers", sampler="random"
    )
    told: list[int] = []

    class Listener(Observer):
        def trial_ended(self, trial: Trial, snapshot: Snapshot) -> None:
            told.append(trial.number)

    study.run(trials=12, observer=Listener())
    assert told[-1] == 0
    assert sorted(told) == list(range(12))
