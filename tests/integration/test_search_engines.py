"""Whole searches with engines beyond this process: the same search, wherever it is evaluated."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from helpers import run_mbnas
from integration.studies import fake_search

from mbnas.errors import StudyError
from mbnas.search import Limit, Study, open_study
from mbnas.search.equipment import Equipment
from mbnas.testing import FakeLatencyMeter, FakeTrainer

BATCH = 3
TRIALS = 12


def found(study: Study) -> list[object]:
    return [(t.number, t.architecture.id, t.status, t.accuracy, t.latency_ms) for t in study.trials]


@pytest.fixture(scope="module")
def local(tmp_path_factory: pytest.TempPathFactory) -> list[object]:
    folder = tmp_path_factory.mktemp("local") / "study"
    return found(fake_search(folder, batch=BATCH).run(trials=TRIALS))


@pytest.mark.parametrize("engine", ["workers", "ray"])
def test_with_a_batch_every_engine_makes_the_same_search(
    engine: str, local: list[object], tmp_path: Path
) -> None:
    trainer = FakeTrainer(seconds_per_epoch=0.005)
    study = fake_search(tmp_path / "study", engine=engine, pack=2, batch=BATCH, trainer=trainer)
    assert found(study.run(trials=TRIALS)) == local


def test_an_engine_that_is_not_known_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StudyError, match="engines are auto, local, workers, ray"):
        fake_search(tmp_path / "study", engine="cluster")


def test_what_limits_leave_is_measured_where_trials_will_be(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here, hosts = FakeLatencyMeter(), FakeLatencyMeter()

    @contextlib.contextmanager
    def ready(equipment: Equipment) -> Iterator[None]:
        equipment.meter = hosts
        yield
        equipment.meter = here

    monkeypatch.setattr(Equipment, "ready", ready)
    search = fake_search(tmp_path / "study", meter=here, limits=[Limit("latency_ms", 1.0)])
    assert search.feasibility()
    assert search.estimate().networks
    assert hosts.measured
    assert not here.measured


@pytest.mark.parametrize("name", ["pack", "batch", "trial_seconds"])
def test_what_must_be_above_0(name: str, tmp_path: Path) -> None:
    with pytest.raises(StudyError, match=f"{name} = 0: must be above 0"):
        fake_search(tmp_path / "study", **{name: 0})


def test_a_seed_that_is_none_makes_no_study(tmp_path: Path) -> None:
    with pytest.raises(StudyError, match="seed = -1: must be 0 or above"):
        fake_search(tmp_path / "study", seed=-1)
    assert not (tmp_path / "study").exists()


def test_the_command_trains_and_measures_in_workers(tmp_path: Path) -> None:
    options = ["--data", "digits", "--trials", "3", "--epochs", "1", "--batch", "2"]
    ran = run_mbnas(
        "search", "digits_tiny", *options, "--engine", "workers", "--study", tmp_path / "study"
    )
    assert ran.returncode == 0, ran.stderr
    study = open_study(tmp_path / "study")
    assert [trial.status for trial in study.trials] == ["trained"] * 3
    assert all(trial.latency_ms for trial in study.trials)
    assert study.folder.weights_file(study.front[0].number).exists()
