"""The folder of a study: whose it is, what it holds, what damage is told of."""

from __future__ import annotations

import errno
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from helpers import tiny_space
from integration.studies import fake_search

from mbnas.errors import StudyError
from mbnas.measure.onnx_file import random_weights
from mbnas.network import Architecture
from mbnas.search import (
    Limit,
    Trial,
    maximize,
    minimize,
    open_study,
)
from mbnas.testing import FakeTrainer
from mbnas.training.trainer import Training


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"seed": 5}, "seed: 0 there, 5 now"),
        ({"sampler": "tpe"}, "sampler: nsga2 there, tpe now"),
        ({"space": tiny_space(resolution=16)}, "space"),
        ({"limits": [Limit("params", 9)]}, "limits: none there, params ≤ 9 now"),
        (
            {"objectives": [maximize("accuracy"), minimize("macs")]},
            "objective: latency_ms there, macs now",
        ),
    ],
)
def test_another_study_is_not_gone_on_with(
    changes: dict[str, Any], words: str, tmp_path: Path
) -> None:
    fake_search(tmp_path / "study").run(trials=2)
    with pytest.raises(StudyError, match=words):
        fake_search(tmp_path / "study", **changes).run(trials=3)


def test_a_second_driver_is_refused(tmp_path: Path) -> None:
    def meddle(_: Architecture) -> None:
        with pytest.raises(StudyError, match="another command is at work"):
            fake_search(tmp_path / "study").run(trials=1)

    trainer = FakeTrainer(before=meddle)
    fake_search(tmp_path / "study", trainer=trainer).run(trials=1)
    assert trainer.trained


def test_folders_that_are_no_studies_are_refused(tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "cat.jpg").touch()
    with pytest.raises(StudyError, match="holds other things"):
        fake_search(tmp_path / "photos").run(trials=1)
    assert [file.name for file in (tmp_path / "photos").iterdir()] == ["cat.jpg"]
    with pytest.raises(StudyError, match="not a study"):
        open_study(tmp_path / "photos")
    with pytest.raises(StudyError, match="no such folder"):
        open_study(tmp_path / "nothing")


def test_trials_of_a_lost_study_are_not_taken_over(tmp_path: Path) -> None:
    study = fake_search(tmp_path / "study").run(trials=2)
    study.folder.record_file.unlink()
    with pytest.raises(StudyError, match="holds other things"):
        fake_search(tmp_path / "study", trainer=FakeTrainer(epochs=9)).run(trials=2)


def test_what_a_killed_creation_leaves_does_not_block_the_folder(tmp_path: Path) -> None:
    folder = tmp_path / "study"
    (folder / "trials").mkdir(parents=True)
    for name in ("space.toml", ".study.json.4711", ".lock"):
        (folder / name).touch()
    assert fake_search(folder).run(trials=1).trials


def test_a_disk_that_is_full_is_said_and_the_study_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: Path, __: bytes) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    fake_search(tmp_path / "study").run(trials=2)
    with monkeypatch.context() as patch:
        patch.setattr("mbnas.search.folder.write_atomically", full)
        with pytest.raises(StudyError, match=r"00002: cannot be written \(No space left"):
            fake_search(tmp_path / "study").run(trials=4)
    assert len(fake_search(tmp_path / "study").run(trials=4).trials) >= 4


def test_old_weights_are_removed_and_the_fronts_are_kept(tmp_path: Path) -> None:
    class WithWeights(FakeTrainer):
        def train(self, *arguments: Any) -> Training:
            training = super().train(*arguments)
            return replace(training, weights=random_weights(arguments[0].architecture.lower(10)))

    (tmp_path / "study" / "trials").mkdir(parents=True)
    search = fake_search(tmp_path / "study", trainer=WithWeights())
    study = search.run(trials=25)
    kept = {trial.number for trial in study.trials if study.folder.has_weights(trial)}
    last = [trial.number for trial in study.trials[-10:] if trial.status == "trained"]
    assert kept == {trial.number for trial in study.front} | set(last)
    assert len(kept) < 25


def test_damaged_studies_are_said_to_be(tmp_path: Path) -> None:
    study = fake_search(tmp_path / "study").run(trials=1)
    record = study.folder.record_file.read_text()
    study.folder.record_file.write_text(record.replace('"seed"', '"sed"', 1))
    with pytest.raises(StudyError, match=r"study\.json: damaged at"):
        open_study(tmp_path / "study")
    newer = record.replace('"schema_version": 4', '"schema_version": 5, "more": 1')
    study.folder.record_file.write_text(newer)
    with pytest.raises(StudyError, match=r"schema 5; this mbnas reads 4"):
        open_study(tmp_path / "study")
    study.folder.record_file.write_text(record)
    study.folder.database.write_bytes(b"no database at all" * 100)
    for side in ("-wal", "-shm"):
        Path(f"{study.folder.database}{side}").unlink(missing_ok=True)
    with pytest.raises(StudyError, match=r"study\.db: not a study of Optuna's"):
        fake_search(tmp_path / "study").run(trials=2)
    assert len(open_study(tmp_path / "study").trials) == 1, "its files are all that is read"
    (study.folder.trial_folder(0) / "result.json").write_text("{}")
    with pytest.raises(StudyError, match=r"00000/result\.json: damaged at"):
        open_study(tmp_path / "study")


def test_tables_hold_every_trial(tmp_path: Path) -> None:
    study = fake_search(tmp_path / "study").run(trials=10)
    table = study.to_dataframe()
    assert list(table["number"]) == [trial.number for trial in study.trials]
    assert {"accuracy", "latency_ms", "p50_ms", "params", "macs", "size_bytes", "resolution"} <= {
        *table.columns
    }
    assert list(table["stage1.width"]) == [trial.params["stage1.width"] for trial in study.trials]
    front = study.front_dataframe()
    assert front["latency_ms"].is_monotonic_increasing
    assert front["accuracy"].is_monotonic_increasing


def test_the_studys_files_are_those_of_the_design(tmp_path: Path) -> None:
    space = tiny_space()
    study = fake_search(tmp_path / "study", space=space).run(trials=3)
    folder = tmp_path / "study"
    assert (folder / "space.toml").read_text() == space.toml
    trial = study.trials[0]
    files = folder / "trials" / "00000"
    assert Architecture.from_json((files / "architecture.json").read_text()) == trial.architecture
    assert Trial.from_record(json.loads((files / "result.json").read_text()), "") == trial
    assert study.record.data.sizes == {"train": 1079, "validation": 359, "test": 359}
