"""Notes and artifacts as Optuna's own tools find them."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import optuna
import pytest
from helpers import some_architectures, tiny_space
from integration.studies import fake_search
from optuna.artifacts import FileSystemArtifactStore, download_artifact, get_all_artifact_meta

from mbnas.network import Architecture
from mbnas.search import Limit, Study, Trial, open_study
from mbnas.search.folder import StudyFolder
from mbnas.testing import FakeTrainer

TRIALS = 10


def database(folder: Path) -> optuna.Study:
    return optuna.load_study(study_name=folder.name, storage=f"sqlite:///{folder / 'study.db'}")


def notes(study: optuna.Study) -> dict[int, str]:
    """By number of the trial, as optuna-dashboard puts them together."""
    attributes: dict[str, Any] = study._storage.get_study_system_attrs(study._study_id)
    found = {}
    for frozen in study.get_trials():
        prefix = f"dashboard:{frozen._trial_id}:note_"
        if f"{prefix}ver" in attributes:
            assert attributes[f"{prefix}ver"] == 1
            pieces = sum(key.startswith(f"{prefix}str:") for key in attributes)
            found[frozen.number] = "".join(attributes[f"{prefix}str:{at}"] for at in range(pieces))
    return found


def artifacts(folder: Path, into: Path) -> dict[int, list[Architecture]]:
    """By number of the trial, each downloaded and read."""
    study, store = database(folder), FileSystemArtifactStore(folder / "artifacts")
    found: dict[int, list[Architecture]] = {}
    for frozen in study.get_trials():
        found[frozen.number] = []
        for meta in get_all_artifact_meta(frozen, storage=study._storage):
            assert (meta.filename, meta.mimetype) == ("architecture.json", "application/json")
            file = into / meta.artifact_id
            download_artifact(
                artifact_store=store, artifact_id=meta.artifact_id, file_path=str(file)
            )
            found[frozen.number].append(Architecture.from_json(file.read_bytes()))
    return found


def check(study: Study, tmp_path: Path) -> None:
    """Exactly one note and one artifact a trial."""
    folder = study.folder.path
    numbers = [trial.number for trial in study.trials]
    assert list(notes(database(folder))) == numbers
    assert artifacts(folder, tmp_path) == {t.number: [t.architecture] for t in study.trials}
    assert len(list((folder / "artifacts").iterdir())) == len(numbers)


def test_each_trial_has_a_note_and_its_architecture(tmp_path: Path) -> None:
    start = {"mine": some_architectures(tiny_space(), 1)[0]}
    limits = [Limit("params", 5000)]
    study = fake_search(tmp_path / "study", limits=limits, start=start).run(3 * TRIALS)
    check(study, tmp_path)
    assert {"trained", "untrained", "reused"} <= {trial.status for trial in study.trials}
    found = notes(database(tmp_path / "study"))
    assert "| start | mine |" in found[0]
    for trial in study.trials:
        note = found[trial.number]
        assert note.startswith(f"**{trial.status}**")
        assert trial.reason is None or trial.reason in note.splitlines()[0]
        assert f"```text\n{trial.architecture.describe()}\n```" in note
        assert f"| params | {trial.costs.params:,} |" in note
        assert (f"| accuracy | {trial.accuracy or 0:.4f} |" in note) == (trial.accuracy is not None)


def test_a_long_note_is_kept_in_pieces(tmp_path: Path) -> None:
    def fail(_: Architecture) -> None:
        raise MemoryError("so\nlong " * 500)

    study = fake_search(tmp_path / "study", trainer=FakeTrainer(before=fail)).run(1)
    (note,) = notes(database(tmp_path / "study")).values()
    assert note.splitlines()[0] == "**failed**: out of memory: " + ("so long " * 500).strip()
    assert note.endswith("\n```")
    check(study, tmp_path)


@pytest.mark.parametrize(
    "next_step",
    [
        "mbnas.search.annotation._keep",
        "optuna.artifacts.FileSystemArtifactStore.write",
        "mbnas.search.trial.Trial.to_record",
    ],
    ids=["before the artifact's entry", "after the artifact's entry", "before Optuna is told"],
)
def test_after_a_kill_there_is_one_of_each(next_step: str, tmp_path: Path) -> None:
    class KilledError(Exception):
        """Stands for the kill."""

    class Fragile(StudyFolder):
        def write_trial(self, trial: Trial, *rest: Any) -> None:
            super().write_trial(trial, *rest)
            if trial.number == 4:
                patch.setattr(next_step, killed)

    def killed(*_: object) -> None:
        raise KilledError

    folder = tmp_path / "study"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("mbnas.search.search.StudyFolder", Fragile)
        with pytest.raises(KilledError):
            fake_search(folder).run(TRIALS)
    assert len(open_study(folder).trials) == 5, "whole in its file, though Optuna was not told"
    check(fake_search(folder).run(TRIALS), tmp_path)


def test_without_its_artifacts_a_study_goes_on(tmp_path: Path) -> None:
    folder = tmp_path / "study"
    fake_search(folder).run(3)
    shutil.rmtree(folder / "artifacts")
    study = fake_search(folder).run(6)
    assert len(list((folder / "artifacts").iterdir())) == len(study.trials) - 3
