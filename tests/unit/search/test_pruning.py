"""Freeing the disk of what a study no longer needs."""

from __future__ import annotations

import shutil
import sqlite3
from dataclasses import replace
from pathlib import Path
from typing import Any

import optuna
import pytest
from integration.storages import optuna_study, told
from integration.studies import fake_search

from mbnas.errors import StudyError
from mbnas.measure.onnx_file import random_weights
from mbnas.report import write_report
from mbnas.search import Observer, Search, Snapshot, Study, Trial, open_study
from mbnas.search.pruning import Freed, prune_study
from mbnas.search.storage import OWNER
from mbnas.testing import FakeTrainer
from mbnas.training.trainer import Training

TRIALS = 14


class WithWeights(FakeTrainer):
    """Gives weights to every network."""

    def train(self, *arguments: Any) -> Training:
        training = super().train(*arguments)
        return replace(training, weights=random_weights(arguments[0].architecture.lower(10)))


def search(folder: Path, **changes: Any) -> Search:
    return fake_search(folder, trainer=WithWeights(), **changes)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Study:
    return search(tmp_path_factory.mktemp("made") / "study").run(TRIALS)


@pytest.fixture
def study(made: Study, tmp_path: Path) -> Study:
    """A copy with all that may be freed."""
    shutil.copytree(made.folder.path, tmp_path / "study")
    study = open_study(tmp_path / "study")
    folder = study.folder
    folder.checkpoint(3).write_bytes(b"c" * 1_000)
    (folder.trial_folder(4) / ".weights.safetensors.4711").write_bytes(b"l" * 100)
    (folder.path / ".progress.json.4711").write_bytes(b"l" * 10)
    (folder.path / "artifacts" / "nobodys").write_bytes(b"a" * 2_000)
    broken_off = folder.trial_folder(TRIALS)
    broken_off.mkdir()
    (broken_off / "checkpoint.pt").write_bytes(b"r")
    (broken_off / "weights.safetensors").write_bytes(b"r")
    with sqlite3.connect(folder.database) as connection:
        connection.execute("CREATE TABLE bulky (text)")
        connection.executemany("INSERT INTO bulky VALUES (?)", [("b" * 4_000,)] * 100)
        connection.execute("DROP TABLE bulky")
    connection.close()
    return study


def with_weights(study: Study) -> set[int]:
    return {number for number in range(TRIALS) if study.folder.weights_file(number).exists()}


def size(study: Study) -> int:
    files = study.folder.path.rglob("*")
    return sum(file.stat().st_size for file in files if file.is_file())


def test_the_front_and_what_was_broken_off_keep_everything(study: Study) -> None:
    before, was = size(study), told(study.folder)
    members = {member.number for member in study.front}
    heavy = with_weights(study)
    assert heavy > members
    freed = prune_study(study.folder.path, keep=0)
    assert with_weights(study) == members
    assert study.folder.checkpoint(TRIALS).exists()
    assert study.folder.weights_file(TRIALS).exists()
    assert freed.trials == len(heavy - members)
    assert freed.checkpoints_bytes == 1_000
    assert freed.left_overs_bytes == 110
    assert freed.artifacts_bytes == 2_000
    assert freed.weights_bytes > 0
    assert freed.database_bytes > 300_000
    assert size(study) <= before - freed.total_bytes + freed.database_bytes
    assert told(study.folder) == was
    assert open_study(study.folder.path).trials == study.trials


def test_a_dry_run_says_the_same_and_removes_nothing(study: Study) -> None:
    files = sorted(study.folder.path.rglob("*"))
    said = prune_study(study.folder.path, keep=2, dry_run=True)
    assert [file for file in files if not file.exists()] == []
    done = prune_study(study.folder.path, keep=2)
    assert replace(said, database_bytes=0) == replace(done, database_bytes=0)
    assert said.database_bytes > 300_000
    assert prune_study(study.folder.path, keep=2) == Freed(0, 0, 0, 0, 0, 0)


def test_the_last_ones_are_kept(study: Study) -> None:
    prune_study(study.folder.path, keep=3)
    last = [trial.number for trial in study.trials if trial.status == "trained"]
    latest = {number for number in last if number >= TRIALS - 3}
    assert with_weights(study) >= latest | {member.number for member in study.front}


def test_what_a_broken_off_training_began_with_is_kept(study: Study) -> None:
    known = optuna_study(study.folder)
    source = next(n for n in with_weights(study) if n not in {t.number for t in study.front})
    known.ask().set_user_attr("started_from", source)
    prune_study(study.folder.path, keep=0)
    assert source in with_weights(study)


def test_a_pruned_study_is_reported_and_goes_on(made: Study, tmp_path: Path) -> None:
    folder = tmp_path / "study"
    shutil.copytree(made.folder.path, folder)
    prune_study(folder, keep=0)
    assert write_report(open_study(folder), tmp_path / "report.html").exists()
    after = search(folder).run(TRIALS + 4)
    unbroken = search(tmp_path / "unbroken").run(TRIALS + 4)
    assert [trial.params for trial in after.trials] == [trial.params for trial in unbroken.trials]
    assert {member.number for member in after.front} <= {
        trial.number for trial in after.trials if after.folder.has_weights(trial)
    }


def test_a_study_that_is_searched_is_left_alone(tmp_path: Path) -> None:
    refused: list[str] = []

    class Pruning(Observer):
        def trial_ended(self, trial: Trial, snapshot: Snapshot) -> None:
            with pytest.raises(StudyError, match="another command is at work") as raised:
                prune_study(tmp_path / "study", keep=0)
            refused.append(str(raised.value))

    search(tmp_path / "study").run(1, observer=Pruning())
    assert refused


def test_no_study_is_said_to_be_none(tmp_path: Path) -> None:
    with pytest.raises(StudyError, match="no such folder"):
        prune_study(tmp_path / "nothing")
    with pytest.raises(StudyError, match=r"keep = -1: must be at least 0"):
        prune_study(tmp_path, keep=-1)


def artifacts(study: Study) -> set[str]:
    return {file.name for file in (study.folder.path / "artifacts").iterdir()}


def test_nothing_is_removed_by_a_database_that_does_not_know_the_study(
    study: Study, tmp_path: Path
) -> None:
    before = artifacts(study), with_weights(study)
    elsewhere = f"sqlite:///{tmp_path / 'other.db'}"
    moved = study.record.model_copy(update={"storage": elsewhere})
    study.folder.write_record(moved)
    with pytest.raises(StudyError, match='holds no study called "study"'):
        prune_study(study.folder.path, keep=0)
    optuna.create_study(
        storage=elsewhere, study_name="study", directions=["maximize", "minimize"]
    ).set_user_attr(OWNER, moved.id)
    with pytest.raises(StudyError, match=f"knows nothing of {TRIALS} of the study's trials"):
        prune_study(study.folder.path, keep=0)
    study.folder.write_record(study.record)
    study.folder.database.unlink()
    with pytest.raises(StudyError, match=r"study\.db: no such file"):
        prune_study(study.folder.path, keep=0, dry_run=True)
    assert not study.folder.database.exists()
    assert (artifacts(study), with_weights(study)) == before
