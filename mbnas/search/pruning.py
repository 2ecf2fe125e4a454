"""Freeing the disk of what a study no longer needs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import optuna
from optuna.trial import TrialState
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from mbnas.errors import StudyError
from mbnas.search.annotation import ARTIFACTS, artifact_ids
from mbnas.search.database_faults import told
from mbnas.search.evaluation import STARTED_FROM
from mbnas.search.folder import HEAVY_FILES, KEPT_LATEST, StudyFolder, left_overs
from mbnas.search.patient import PatientStorage
from mbnas.search.storage import open_storage, study_in
from mbnas.search.storage_url import chosen_storage
from mbnas.search.study import Study, open_study

MOST_NAMED = 5
_MEND = "name its database in MBNAS_STORAGE, or go on with the search, which tells it anew"


@dataclass(frozen=True, slots=True)
class Freed:
    """What pruning a study freed, or would free, in bytes.

    Attributes:
        trials: Trials that lost their weights and ONNX file.
        weights_bytes: Those.
        checkpoints_bytes: Of trainings that are at their end.
        left_overs_bytes: What killed writes left.
        artifacts_bytes: Optuna's artifacts that no trial knows of.
        database_bytes: Pages that the database no longer used; 0 on a server, which sees to it.
    """

    trials: int
    weights_bytes: int
    checkpoints_bytes: int
    left_overs_bytes: int
    artifacts_bytes: int
    database_bytes: int

    @property
    def total_bytes(self) -> int:
        """All of it."""
        return sum(self.parts.values())

    @property
    def parts(self) -> dict[str, int]:
        """The bytes of each kind, in words."""
        return {
            "weights and models": self.weights_bytes,
            "checkpoints": self.checkpoints_bytes,
            "left-overs of killed writes": self.left_overs_bytes,
            "artifacts of no trial": self.artifacts_bytes,
            "the database's free pages": self.database_bytes,
        }


def prune_study(path: str | Path, keep: int = KEPT_LATEST, dry_run: bool = False) -> Freed:
    """Removes what neither the front, nor a broken-off trial, nor the last trials need.

    Results, curves and architectures stay, of every trial: reports, tables and dashboard are as
    before, any member of the front can be exported, and the search goes on.

    Args:
        path: The study's folder; no search may run on it meanwhile.
        keep: How many of the last trials keep their weights; a search keeps ten.
        dry_run: Only says what would be freed.

    Raises:
        StudyError: no study, a search runs on it, its database lacks some of its trials, or files
            cannot be removed.
    """
    if keep < 0:
        raise StudyError(f"keep = {keep}: must be at least 0")
    folder = StudyFolder(path)
    folder.read()
    with folder.locked():
        study = open_study(path)
        chosen = chosen_storage(None, study.record)
        if chosen is None and not folder.database.exists():
            raise StudyError(f"{folder.database}: no such file; {_MEND}")
        storage = open_storage(chosen, folder)
        try:
            known = _whole_study(storage, study, is_own=chosen is None)
            pruning = _Pruning(study, _needed(study, known, keep), artifact_ids(known), dry_run)
            # Files first: SQLite needs room to write itself anew.
            return replace(pruning.freed(), database_bytes=_free_pages(storage, dry_run))
        except SQLAlchemyError as error:
            raise told(storage.place, error) from error
        except OSError as error:
            raise StudyError(f"{folder.path}: cannot be pruned ({error.strerror})") from None
        finally:
            storage.remove_session()
            storage.engine.dispose()


def _whole_study(storage: PatientStorage, study: Study, is_own: bool) -> optuna.Study:
    """What Optuna has of a study: all its trials, or what is still needed could not be told.

    Raises:
        StudyError: there is no such study, or it lacks some.
    """
    name = study.record.name
    if name not in {one.study_name for one in storage.get_all_studies()}:
        raise StudyError(f'{storage.place}: holds no study called "{name}"; {_MEND}')
    known = study_in(storage, study.record, is_own)
    numbers = {one.number for one in known.get_trials(deepcopy=False)}
    lacking = [one.number for one in study.trials if one.number not in numbers]
    if lacking:
        some = ", ".join(map(str, lacking[:MOST_NAMED])) + (", ..." * (len(lacking) > MOST_NAMED))
        raise StudyError(
            f"{storage.place}: knows nothing of {len(lacking):,} of the study's trials ({some});"
            f" {_MEND}"
        )
    return known


def _needed(study: Study, known: optuna.Study, keep: int) -> set[int]:
    """Numbers of the trials whose weights are kept."""
    unfinished = known.get_trials(deepcopy=False, states=(TrialState.RUNNING, TrialState.WAITING))
    sources = [trial.user_attrs.get(STARTED_FROM) for trial in unfinished]
    finished = [trial.number for trial in study.trials]
    return {
        *(trial.number for trial in study.front),
        *(trial.number for trial in unfinished),
        *(source for source in sources if source is not None),
        *set(study.folder.trial_numbers()).difference(finished),
        *(finished[-keep:] if keep else ()),
    }


@dataclass(slots=True)
class _Pruning:
    """Removes files, or counts them only."""

    study: Study
    needed: set[int]
    artifacts: set[str]
    dry_run: bool
    _pruned: set[int] = field(default_factory=set)

    def freed(self) -> Freed:
        """Does it; the database is left as it is."""
        return Freed(
            weights_bytes=self._removed(self._weights()),
            checkpoints_bytes=self._removed(self._checkpoints()),
            left_overs_bytes=self._removed(self._left_overs()),
            artifacts_bytes=self._removed(self._artifacts()),
            database_bytes=0,
            trials=len(self._pruned),
        )

    def _removed(self, files: Iterable[Path]) -> int:
        total = 0
        for file in files:
            total += file.stat().st_size
            if not self.dry_run:
                file.unlink()
        return total

    def _weights(self) -> Iterator[Path]:
        folder = self.study.folder
        for number in set(folder.trial_numbers()) - self.needed:
            for name in HEAVY_FILES:
                file = folder.trial_folder(number) / name
                if file.exists():
                    self._pruned.add(number)
                    yield file

    def _checkpoints(self) -> Iterator[Path]:
        for trial in self.study.trials:
            file = self.study.folder.checkpoint(trial.number)
            if file.exists():
                yield file

    def _left_overs(self) -> Iterator[Path]:
        folder = self.study.folder
        for number in folder.trial_numbers():
            yield from left_overs(folder.trial_folder(number))
        yield from left_overs(folder.path)

    def _artifacts(self) -> Iterator[Path]:
        store = self.study.folder.path / ARTIFACTS
        if store.is_dir():
            files = (file for file in store.iterdir() if file.is_file())
            yield from (file for file in files if file.name not in self.artifacts)


def _free_pages(storage: PatientStorage, dry_run: bool) -> int:
    """Gives SQLite's free pages back to the disk; a dry run counts them only."""
    if storage.engine.name != "sqlite":
        return 0
    database = Path(str(storage.engine.url.database))
    with storage.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        free = connection.execute(text("PRAGMA freelist_count")).scalar_one()
        page_bytes = connection.execute(text("PRAGMA page_size")).scalar_one()
        if dry_run:
            return int(free * page_bytes)
        before = _size(database)
        connection.execute(text("VACUUM"))
        connection.execute(text("PRAGMA wal_checkpoint(TRUNCATE)")).all()
    return max(0, before - _size(database))


def _size(database: Path) -> int:
    files = (database, database.with_name(f"{database.name}-wal"))
    return sum(file.stat().st_size for file in files if file.exists())
