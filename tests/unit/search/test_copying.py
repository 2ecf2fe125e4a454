"""A study copied to another folder."""

from __future__ import annotations

import contextlib
import json
import shutil
from pathlib import Path

import optuna
import pytest
from integration.storages import optuna_study, told
from integration.studies import fake_search
from optuna.artifacts import get_all_artifact_meta

from mbnas.errors import StudyError
from mbnas.network import Architecture
from mbnas.search import Observer, Snapshot, Study, Trial, copying, open_study
from mbnas.search.copying import copy_study
from mbnas.search.folder import StudyFolder
from mbnas.search.study import broken_off
from mbnas.testing import FakeTrainer

TRIALS = 8


class Killed(BaseException):
    """Stands for a kill."""


class KilledTrainer(FakeTrainer):
    """Is killed in the fourth training, once its first epoch is laid down."""

    def train(self, assignment, on_epoch, on_step=lambda: None):  # type: ignore[no-untyped-def]
        def heard(epoch: object) -> None:
            on_epoch(epoch)
            if len(self.trained) == 3:
                raise Killed

        return super().train(assignment, heard, on_step)


@pytest.fixture(scope="module")
def broken(tmp_path_factory: pytest.TempPathFactory) -> Study:
    """A study whose search was killed."""
    folder = tmp_path_factory.mktemp("broken") / "study"
    with contextlib.suppress(Killed):
        fake_search(folder, trainer=KilledTrainer()).run(TRIALS)
    (folder / "bundle").mkdir()
    (folder / "bundle" / "CARD.md").write_text("a card")
    (folder / "trials" / "00000" / ".model.onnx.4711").write_text("half")
    study = open_study(folder)
    optuna_study(study.folder).set_user_attr("remark", {"mine": [1, 2]})
    assert list(folder.glob("trials/*/checkpoint.pt"))
    return study


def test_a_copy_is_the_study(broken: Study, tmp_path: Path) -> None:
    copy = copy_study(broken.folder.path, tmp_path / "copy")
    assert copy.trials == broken.trials
    assert told(copy.folder) == told(broken.folder)
    there, here = optuna_study(broken.folder), optuna_study(copy.folder)
    assert here.user_attrs["remark"] == {"mine": [1, 2]}
    assert here.metric_names == there.metric_names
    for old, new in zip(there.get_trials(), here.get_trials(), strict=True):
        assert new.system_attrs == old.system_attrs
        assert new.datetime_start == old.datetime_start
        assert new.datetime_complete == old.datetime_complete
    files = {
        file.relative_to(tmp_path / "copy"): file.read_bytes()
        for file in (tmp_path / "copy").rglob("*")
        if file.is_file() and not file.name.startswith(("study.", ".lock"))
    }
    own = ("study.", ".lock", "progress.json", "wish.json", "holder.json", ".model")
    assert files == {
        file.relative_to(broken.folder.path): file.read_bytes()
        for file in broken.folder.path.rglob("*")
        if file.is_file() and not file.name.startswith(own)
    }


def test_a_copy_is_a_study_of_its_own(broken: Study, tmp_path: Path) -> None:
    copy = copy_study(broken.folder.path, tmp_path / "copy")
    assert copy.record.name == "copy"
    same = {"name": "", "id": ""}
    assert copy.record.model_copy(update=same) == broken.record.model_copy(update=same)
    if broken.record.id:
        assert copy.record.id not in ("", broken.record.id)
    assert not (tmp_path / ".copy.copying").exists()


def test_what_was_broken_off_goes_on_in_the_copy(broken: Study, tmp_path: Path) -> None:
    (running,) = broken_off(optuna_study(broken.folder))
    began: list[str] = []

    class Watching(FakeTrainer):
        def train(self, assignment, *rest):  # type: ignore[no-untyped-def]
            assert assignment.checkpoint is not None
            if assignment.checkpoint.exists():
                began.append(assignment.checkpoint.read_text().split()[0])
            return super().train(assignment, *rest)

    copy = copy_study(broken.folder.path, tmp_path / "copy")
    after = fake_search(copy.folder.path, trainer=Watching()).run(TRIALS)
    assert began[0] == after.trial(running.number).architecture.id
    unbroken = fake_search(tmp_path / "unbroken").run(TRIALS)
    assert [t.params for t in after.trials] == [t.params for t in unbroken.trials]


def test_notes_and_parents_name_the_copys_trials(broken: Study, tmp_path: Path) -> None:
    """Where a database holds other studies, trials get other ids."""
    url = f"sqlite:///{tmp_path / 'shared.db'}"
    other = optuna.create_study(storage=url, study_name="other")
    for _ in range(3):
        other.tell(other.ask(), 1.0)
    there = optuna_study(broken.folder)
    key = "NSGAIISampler:parent:1"
    there._storage.set_study_system_attr(there._study_id, key, [1, 3])
    copy = copy_study(broken.folder.path, tmp_path / "copy", url)
    here = optuna_study(copy.folder)
    attributes = here._storage.get_study_system_attrs(here._study_id)
    ids = {trial.number: trial._trial_id for trial in here.get_trials()}
    assert min(ids.values()) > 3
    assert attributes[key] == [ids[0], ids[2]]
    for trial in copy.trials:
        note = attributes[f"dashboard:{ids[trial.number]}:note_str:0"]
        assert trial.architecture.describe().splitlines()[0] in note
    for frozen in here.get_trials()[: len(copy.trials)]:
        (artifact,) = get_all_artifact_meta(frozen, storage=here._storage)
        text = (copy.folder.path / "artifacts" / artifact.artifact_id).read_text()
        assert Architecture.from_json(text) == copy.trial(frozen.number).architecture


def test_what_is_there_is_refused(broken: Study, tmp_path: Path) -> None:
    copy_study(broken.folder.path, tmp_path / "copy")
    with pytest.raises(StudyError, match=r"copy: is there already; name a new folder"):
        copy_study(broken.folder.path, tmp_path / "copy")
    with pytest.raises(StudyError, match=r"inside: lies in the study itself"):
        copy_study(broken.folder.path, broken.folder.path / "inside")
    with pytest.raises(StudyError, match=r"nothing: no such folder"):
        copy_study(tmp_path / "nothing", tmp_path / "copy2")


def test_a_name_that_is_taken_in_the_database_is_refused(broken: Study, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'shared.db'}"
    first = copy_study(broken.folder.path, tmp_path / "one" / "copy", url)
    before = told(first.folder)
    with pytest.raises(StudyError, match=r'shared\.db: another study there is called "copy"'):
        copy_study(broken.folder.path, tmp_path / "two" / "copy", url)
    assert not (tmp_path / "two" / "copy").exists()
    assert told(first.folder) == before
    shutil.rmtree(first.folder.path)


def test_a_running_search_is_not_copied(tmp_path: Path) -> None:
    refused: list[str] = []

    class Copying(Observer):
        def trial_ended(self, trial: Trial, snapshot: Snapshot) -> None:
            with pytest.raises(StudyError, match="another command is at work") as raised:
                copy_study(tmp_path / "study", tmp_path / "copy")
            refused.append(str(raised.value))

    fake_search(tmp_path / "study").run(1, observer=Copying())
    assert refused
    assert not list(tmp_path.glob("*copy*"))


def test_half_a_copy_is_no_study_and_is_made_anew(
    broken: Study, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = f"sqlite:///{tmp_path / 'shared.db'}"
    target = tmp_path / "copy"

    def killed(*_: object) -> None:
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(copying, "_copy_attributes", killed)
        patch.setattr(shutil, "rmtree", lambda *_, **__: None)
        with pytest.raises(Killed):
            copy_study(broken.folder.path, target, url)
    assert not target.exists()
    half = StudyFolder(tmp_path / ".copy.copying")
    assert half.path.exists()
    assert not half.exists
    (half.path / "left").write_text("by a kill")
    copy = copy_study(broken.folder.path, target, url)
    assert told(copy.folder) == told(broken.folder)
    assert not (target / "left").exists()


def test_a_full_disk_leaves_nothing(
    broken: Study, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(shutil, "copytree", full)
    with pytest.raises(StudyError, match=r"copy: cannot be written \(No space left on device\)"):
        copy_study(broken.folder.path, tmp_path / "copy")
    assert not list(tmp_path.iterdir())


def test_the_url_in_the_record_has_no_password(broken: Study, tmp_path: Path) -> None:
    record = copy_study(
        broken.folder.path, tmp_path / "copy", f"sqlite:///{tmp_path / 'shared.db'}"
    ).folder.record_file
    assert json.loads(record.read_text())["storage"] == f"sqlite:///{tmp_path / 'shared.db'}"
