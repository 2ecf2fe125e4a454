"""Copying a study, its files and what Optuna has of it, from one storage to another."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import uuid
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import optuna

from mbnas.errors import StudyError
from mbnas.search.folder import LEFT_OVER, StudyFolder
from mbnas.search.holder import HOLDER_FILE, LOCK_FILE, held_folder
from mbnas.search.patient import PatientStorage
from mbnas.search.record import StudyRecord
from mbnas.search.steering import PROGRESS_FILE, WISH_FILE
from mbnas.search.storage import OWNER, open_storage, quiet_optuna, study_in
from mbnas.search.storage_url import chosen_storage, recorded_storage
from mbnas.search.study import Study, open_study

_HALF = "half a copy"
"""The owner of what Optuna has of a copy that is not at its end."""
_NOTE = re.compile(r"dashboard:(\d+):(.+)")
_PARENTS = re.compile(r".+:parent:\d+")


def copy_study(source: str | Path, target: str | Path, storage: str | None = None) -> Study:
    """Copies a study so that the copy goes on, and is read, as the study would be.

    Trials keep their numbers, states, values, attributes and times; those that a kill broke off
    keep their checkpoints. The copy is called as its folder. A copy that was broken off leaves
    nothing at its place; the same call makes it anew.

    Args:
        source: The study's folder; no search may run on it meanwhile.
        target: A new folder.
        storage: The URL of the copy's database; None is a study.db of its own.

    Raises:
        StudyError: no study, a search runs on it, the target is there already, or the name is
            taken in the database.
    """
    origin, goal = StudyFolder(source), StudyFolder(target)
    record, _ = origin.read()
    if goal.path.exists():
        raise StudyError(f"{goal.path}: is there already; name a new folder")
    if origin.path.resolve() in goal.path.resolve().parents:
        raise StudyError(f"{goal.path}: lies in the study itself; name a folder elsewhere")
    changes = {"name": goal.path.resolve().name, "storage": recorded_storage(storage)}
    copied = record.model_copy(update={**changes, "id": uuid.uuid4().hex})
    with origin.locked(), _aside(goal.path) as aside:
        _copy_files(origin, aside)
        _copy_trials(origin, record, aside, copied, storage)
        if hasattr(os, "sync"):
            os.sync()  # study.json, which says that the copy is whole, must not be there before it
        aside.write_record(copied)
        (aside.path / HOLDER_FILE).unlink()  # nobody holds it at its place
        aside.path.replace(goal.path)
    return open_study(goal.path)


@contextlib.contextmanager
def _aside(target: Path) -> Iterator[StudyFolder]:
    """A folder beside the target to fill; what an earlier copy left there is removed."""
    aside = StudyFolder(target.parent.resolve() / f".{target.name}.copying")
    with held_folder(aside.path, "another copy is being made there"):
        try:
            _clear(aside.path)
            yield aside
        except OSError as error:
            raise StudyError(f"{target}: cannot be written ({_reason(error)})") from None
        finally:
            shutil.rmtree(aside.path, ignore_errors=True)


def _clear(folder: Path) -> None:
    for entry in folder.iterdir():
        if entry.is_dir():
            shutil.rmtree(entry)
        elif entry.name not in (HOLDER_FILE, LOCK_FILE):
            entry.unlink()


def _reason(error: OSError) -> str:
    if isinstance(error, shutil.Error):  # one entry a file: from, to, why
        return str(error.args[0][0][2])
    return error.strerror or str(error)


def _copy_files(origin: StudyFolder, aside: StudyFolder) -> None:
    """All but what is of one search, of one database, or half written."""
    own = {origin.record_file.name, PROGRESS_FILE, WISH_FILE, HOLDER_FILE, LOCK_FILE}

    def left_out(folder: str, names: list[str]) -> set[str]:
        left = {name for name in names if LEFT_OVER.fullmatch(name)}
        if Path(folder) == origin.path:
            left |= own.intersection(names)
            left |= {name for name in names if name.startswith(origin.database.name)}
        return left

    shutil.copytree(origin.path, aside.path, ignore=left_out, dirs_exist_ok=True)


def _copy_trials(
    origin: StudyFolder,
    record: StudyRecord,
    aside: StudyFolder,
    copied: StudyRecord,
    url: str | None,
) -> None:
    chosen = chosen_storage(None, record)
    old = open_storage(chosen, origin)
    new = open_storage(url, aside)
    try:
        study = study_in(old, record, is_own=chosen is None)
        _clear_half(new, copied.name)
        half = copied.model_copy(update={"id": _HALF})
        target = study_in(new, half, is_own=False)
        ids = {
            trial._trial_id: new.create_new_trial(target._study_id, trial)
            for trial in study.get_trials(deepcopy=False)
        }
        _copy_attributes(study, target, ids)
        target.set_user_attr(OWNER, copied.id)
    finally:
        for one in (old, new):
            one.remove_session()
            one.engine.dispose()


def _clear_half(storage: PatientStorage, name: str) -> None:
    """Removes what a copy that was killed left in a database."""
    for there in storage.get_all_studies():
        if there.study_name == name and there.user_attrs.get(OWNER) == _HALF:
            with quiet_optuna():
                storage.delete_study(there._study_id)


def _copy_attributes(study: optuna.Study, target: optuna.Study, ids: Mapping[int, int]) -> None:
    """Copies what Optuna has of the study itself; what names trials names those of the copy."""
    for key, value in study.user_attrs.items():
        if key != OWNER:
            target.set_user_attr(key, value)
    storage = target._storage
    for key, value in study._storage.get_study_system_attrs(study._study_id).items():
        storage.set_study_system_attr(target._study_id, *_renamed(key, value, ids))


def _renamed(key: str, value: Any, ids: Mapping[int, int]) -> tuple[str, Any]:
    """A study's system attribute, for the trials' ids in another database.

    optuna-dashboard's notes have a trial's id in their keys, and samplers keep those of parents.
    """
    note = _NOTE.fullmatch(key)
    if note and int(note[1]) in ids:
        return f"dashboard:{ids[int(note[1])]}:{note[2]}", value
    if _PARENTS.fullmatch(key) and isinstance(value, list):
        return key, [ids.get(one, one) for one in value]
    return key, value
