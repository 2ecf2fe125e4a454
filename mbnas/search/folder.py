"""The study folder: which files it holds and how they are written."""

from __future__ import annotations

import contextlib
import json
import re
import warnings
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

import optuna
from alembic.util import CommandError
from filelock import FileLock, Timeout
from numpy.typing import NDArray
from optuna.exceptions import ExperimentalWarning, OptunaError
from optuna.storages import RDBStorage
from safetensors.numpy import save as save_tensors
from sqlalchemy import event
from sqlalchemy.exc import SQLAlchemyError

from mbnas.errors import StudyError
from mbnas.files import write_atomically
from mbnas.search.record import StudyRecord, read_record
from mbnas.search.trial import Trial, folder_name
from mbnas.space import SearchSpace, read_space

# What one damaged file may bring up: the database, its schema's versions, or Optuna itself.
_DATABASE_ERRORS = (SQLAlchemyError, CommandError, OptunaError, RuntimeError)
# Before study.json is there, a kill may leave these, and nothing of worth.
_LEFT_BY_A_KILL = re.compile(r"\.lock|space\.toml|\.(space\.toml|study\.json)\.\d+")
HEAVY_FILES = ("weights.safetensors", "model.onnx")
CHECKPOINT = "checkpoint.pt"
KEPT_LATEST = 10


class StudyFolder:
    """The files of one study. Every file is written to the side and renamed into place."""

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self.record_file = self.path / "study.json"
        self.space_file = self.path / "space.toml"
        self.database = self.path / "study.db"
        self.report_file = self.path / "report.html"
        self.trials = self.path / "trials"

    @property
    def exists(self) -> bool:
        """Whether a study was created here."""
        return self.record_file.exists()

    def create(self, record: StudyRecord, space: SearchSpace) -> None:
        """Makes the folder; study.json comes last, so that half a folder is not taken for a study.

        Raises:
            StudyError: the folder cannot be written.
        """
        try:
            self.trials.mkdir(parents=True, exist_ok=True)
            write_atomically(self.space_file, space.toml.encode())
            self.write_record(record)
        except OSError as error:
            raise StudyError(f"{self.path}: cannot be written ({error.strerror})") from None

    def write_record(self, record: StudyRecord) -> None:
        """Writes study.json."""
        write_atomically(self.record_file, record.model_dump_json(indent=2).encode())

    def read(self) -> tuple[StudyRecord, SearchSpace]:
        """The record and the space.

        Raises:
            StudyError: not a study, or damaged.
        """
        if not self.path.exists():
            raise StudyError(f"{self.path}: no such folder; make a study with: mbnas search")
        if not self.exists:
            raise StudyError(f"{self.path}: not a study (it has no study.json)")
        record = read_record(self.record_file)
        try:
            return record, read_space(self.space_file.read_bytes().decode())
        except (OSError, ValueError) as error:  # a SpaceError is a ValueError
            raise StudyError(f"{self.space_file}: {error}") from None

    def optuna_study(self, name: str, goals_names: tuple[str, str]) -> optuna.Study:
        """The Optuna study in study.db, made if it is not there.

        Raises:
            StudyError: the file is no database of Optuna's.
        """
        try:
            storage = RDBStorage(f"sqlite:///{self.database}")
            _write_ahead(storage)
            with _quiet_optuna():
                study = optuna.create_study(
                    storage=storage,
                    study_name=name,
                    directions=["maximize", "minimize"],
                    load_if_exists=True,
                )
        except _DATABASE_ERRORS as error:
            reason = str(error).partition("\n")[0]
            raise StudyError(f"{self.database}: not a study of Optuna's ({reason})") from error
        if study.metric_names is None:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", ExperimentalWarning)
                study.set_metric_names(list(goals_names))
        return study

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Holds the study for one driver; the lock goes with the process, however it ends.

        Raises:
            StudyError: another search holds it, or the folder is no place for a study.
        """
        self._check_place()
        with held_folder(self.path, "another search is running on this study"):
            yield

    def _check_place(self) -> None:
        """Refuses a folder of somebody's own, before anything is put into it."""
        if self.exists or not self.path.exists():
            return
        try:
            names = {file.name for file in self.path.iterdir()}
            others = {name for name in names if not _LEFT_BY_A_KILL.fullmatch(name)}
            if self.trials.is_dir() and not any(self.trials.iterdir()):
                others -= {self.trials.name}
        except OSError as error:
            raise StudyError(f"{self.path}: cannot be read ({error.strerror})") from None
        if others:
            raise StudyError(
                f"{self.path}: holds other things and no study; name a new folder with --study"
            )

    def trial_folder(self, number: int) -> Path:
        """Where a trial's files lie."""
        return self.trials / folder_name(number)

    def write_trial(
        self, trial: Trial, weights: Mapping[str, NDArray[Any]], model: bytes | None
    ) -> None:
        """Writes a trial's files; result.json comes last and says that the others are whole.

        Raises:
            StudyError: the disk is full, or the folder cannot be written.
        """
        folder = self.trial_folder(trial.number)
        files = {"architecture.json": trial.architecture.to_json().encode()}
        if weights:
            files["weights.safetensors"] = save_tensors(dict(weights))
        if model is not None:
            files["model.onnx"] = model
        files["result.json"] = json.dumps(trial.to_record(), indent=2).encode()
        try:
            folder.mkdir(parents=True, exist_ok=True)
            for name, content in files.items():
                write_atomically(folder / name, content)
            self.checkpoint(trial.number).unlink(missing_ok=True)
        except OSError as error:
            raise StudyError(f"{folder}: cannot be written ({error.strerror})") from None

    def checkpoint(self, number: int) -> Path:
        """Where a trial's training is laid down while it is not at its end."""
        return self.trial_folder(number) / CHECKPOINT

    def weights_file(self, number: int) -> Path:
        """Where a trial's weights lie, if they are still kept."""
        return self.trial_folder(number) / "weights.safetensors"

    def has_weights(self, trial: Trial) -> bool:
        """Whether a trial's weights are still kept."""
        return self.weights_file(trial.number).exists()

    def trial_numbers(self) -> list[int]:
        """Numbers of the trials that have a folder, at their end or not, ascending."""
        try:
            names = [entry.name for entry in self.trials.iterdir()]
        except OSError:
            return []
        return sorted(int(name) for name in names if name.isascii() and name.isdecimal())

    def read_result(self, number: int) -> Trial | None:
        """The result that a trial left, if it has come to its end.

        Raises:
            StudyError: damaged, or unreadable.
        """
        file = self.trial_folder(number) / "result.json"
        try:
            trial = Trial.from_record(json.loads(file.read_bytes()), str(file))
        except FileNotFoundError:
            return None
        except OSError as error:
            raise StudyError(f"{file}: cannot be read ({error.strerror})") from None
        except (ValueError, RecursionError) as error:  # not JSON, not text, too deep
            raise StudyError(f"{file}: damaged: {error}") from None
        if trial.number != number:
            raise StudyError(f"{file}: damaged: it says number {trial.number}")
        return trial

    def prune(self, keep: Collection[int], latest: int) -> None:
        """Removes weights and models but for some trials and the ten up to `latest`."""
        kept = {folder_name(number) for number in keep}
        kept |= {folder_name(number) for number in range(latest - KEPT_LATEST + 1, latest + 1)}
        # A killed write leaves `.weights.safetensors.4711`.
        for pattern in (*HEAVY_FILES, *(f".{name}.*" for name in (*HEAVY_FILES, CHECKPOINT))):
            for file in self.trials.glob(f"*/{pattern}"):
                if file.parent.name.isdecimal() and file.parent.name not in kept:
                    file.unlink(missing_ok=True)


@contextlib.contextmanager
def held_folder(path: Path, busy: str) -> Iterator[None]:
    """Holds a folder, made if it is not there, for this process alone, however that ends.

    Args:
        path: The folder.
        busy: Why it cannot be had, if another process holds it.

    Raises:
        StudyError: it is held, or cannot be written.
    """
    lock = FileLock(path / ".lock", timeout=0)
    try:
        path.mkdir(parents=True, exist_ok=True)
        lock.acquire()
    except Timeout:
        raise StudyError(f"{path}: {busy}; wait for it or stop it") from None
    except OSError as error:
        raise StudyError(f"{path}: cannot be written ({error.strerror})") from None
    try:
        yield
    finally:
        lock.release()


@contextlib.contextmanager
def _quiet_optuna() -> Iterator[None]:
    """Keeps Optuna from printing lines into a progress display or a table."""
    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    try:
        yield
    finally:
        optuna.logging.set_verbosity(before)


def _write_ahead(storage: RDBStorage) -> None:
    """Lets SQLite append to a log in place of syncing at every one of Optuna's small writes.

    A killed process loses nothing so; a power failure may lose the last trials from the database,
    which their files under `trials/` still hold.
    """

    def on_connect(connection: Any, _: Any) -> None:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=NORMAL")

    event.listen(storage.engine, "connect", on_connect)
    storage.engine.dispose()  # connections made before this hear of it too
