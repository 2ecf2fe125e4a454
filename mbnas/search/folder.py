"""The study folder: which files it holds and how they are written."""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

from numpy.typing import NDArray
from safetensors.numpy import save as save_tensors

from mbnas.errors import StudyError
from mbnas.files import sync_folder, write_atomically
from mbnas.search.holder import Held, held_folder
from mbnas.search.record import StudyRecord, read_record
from mbnas.search.trial import Trial, folder_name
from mbnas.space import SearchSpace, read_space

# Before study.json is there, a kill may leave these, and nothing of worth.
_LEFT_BY_A_KILL = re.compile(
    r"\.lock|holder\.json|space\.toml|\.(space\.toml|study\.json|holder\.json)\.\d+"
)
HEAVY_FILES = ("weights.safetensors", "model.onnx")
CHECKPOINT = "checkpoint.pt"
LOG = "failure.log"
RESULT_FILE = "result.json"
KEPT_LATEST = 10
LEFT_OVER = re.compile(r"\..+\.\d+")
"""What a killed write leaves, such as `.weights.safetensors.4711`."""


class StudyFolder:
    """The files of one study. Every file is written to the side and renamed into place."""

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self.record_file = self.path / "study.json"
        self.space_file = self.path / "space.toml"
        self.database = self.path / "study.db"
        self.report_file = self.path / "report.html"
        self.trials = self.path / "trials"
        self._heavy: set[int] | None = None  # trials with weights or models, once they are known
        self._latest = -1

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
        """Writes study.json.

        Raises:
            StudyError: it cannot be written.
        """
        try:
            write_atomically(self.record_file, record.model_dump_json(indent=2).encode())
        except OSError as error:
            raise StudyError(f"{self.record_file}: cannot be written ({error.strerror})") from None

    def read(self) -> tuple[StudyRecord, SearchSpace]:
        """The record and the space.

        Raises:
            StudyError: not a study, or damaged.
        """
        try:
            is_there, is_study = self.path.exists(), self.exists
        except OSError as error:  # a name too long, a folder that may not be entered
            raise StudyError(f"{self.path}: cannot be read ({error.strerror})") from None
        if not is_there:
            raise StudyError(f"{self.path}: no such folder; make a study with: mbnas search")
        if not is_study:
            raise StudyError(f"{self.path}: not a study (it has no study.json)")
        record = read_record(self.record_file)
        try:
            return record, read_space(self.space_file.read_bytes().decode())
        except (OSError, ValueError) as error:  # a SpaceError is a ValueError
            raise StudyError(f"{self.space_file}: {error}") from None

    @contextlib.contextmanager
    def locked(self, *, take_over: bool | None = None) -> Iterator[Held]:
        """Holds the study for one driver; the lock goes with the process, however it ends.

        Args:
            take_over: Whether to take it from a process on another host, whose end cannot be seen;
                None where the user has no way to ask for that.

        Raises:
            StudyError: another process holds it, or the folder is no place for a study.
        """
        self.check_place()
        busy = "another command is at work on this study"
        with held_folder(self.path, busy, take_over=take_over) as held:
            yield held

    def check_place(self) -> None:
        """Refuses a folder of somebody's own, before anything is put into it.

        Raises:
            StudyError: it holds other things, or is no folder.
        """
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
        self,
        trial: Trial,
        weights: Mapping[str, NDArray[Any]],
        model: bytes | None,
        log: str = "",
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
        if log:
            files[LOG] = log.encode(errors="replace")
        files[RESULT_FILE] = json.dumps(trial.to_record(), indent=2).encode()
        if self._heavy is not None and not files.keys().isdisjoint(HEAVY_FILES):
            self._heavy.add(trial.number)
        try:
            folder.mkdir(parents=True, exist_ok=True)
            for name, content in files.items():
                write_atomically(folder / name, content)
            sync_folder(folder)
            sync_folder(self.trials)
            for file in (self.checkpoint(trial.number), *left_overs(folder)):
                file.unlink(missing_ok=True)
        except OSError as error:
            raise StudyError(f"{folder}: cannot be written ({error.strerror})") from None

    def log_file(self, number: int) -> Path:
        """What a failed trial left to read."""
        return self.trial_folder(number) / LOG

    def result_file(self, number: int) -> Path:
        """Where a trial that has come to its end says what came of it."""
        return self.trial_folder(number) / RESULT_FILE

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
        file = self.result_file(number)
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

    def set_result_aside(self, number: int) -> None:
        """Takes a result that cannot be used out of the way, for whoever wants to look at it."""
        file = self.result_file(number)
        try:
            if file.exists():
                file.replace(file.with_name(f"{RESULT_FILE}.aside"))
        except OSError as error:
            raise StudyError(f"{file}: cannot be moved ({error.strerror})") from None

    def prune(self, keep: Collection[int], latest: int) -> None:
        """Removes weights and models but for some trials and the last ten.

        Of trials above all that were `latest` so far, nothing is removed: after a kill, their
        files may be there before anybody has asked whether they are worth keeping.
        """
        if self._heavy is None:
            self._clear_left_overs(keep)
            self._heavy = {number for number in self.trial_numbers() if self._is_heavy(number)}
        self._latest = max(self._latest, latest)
        kept = {*keep, *range(self._latest - KEPT_LATEST + 1, self._latest + 1)}
        for number in [one for one in self._heavy if one <= self._latest and one not in kept]:
            for name in HEAVY_FILES:
                (self.trial_folder(number) / name).unlink(missing_ok=True)
            self._heavy.discard(number)

    def _is_heavy(self, number: int) -> bool:
        folder = self.trial_folder(number)
        return any((folder / name).exists() for name in HEAVY_FILES)

    def _clear_left_overs(self, keep: Collection[int]) -> None:
        """Removes what killed writes left, once; in folders of `keep` something may be written."""
        for number in set(self.trial_numbers()).difference(keep):
            for file in left_overs(self.trial_folder(number)):
                file.unlink(missing_ok=True)


def left_overs(folder: Path) -> list[Path]:
    """What killed writes left in a folder."""
    try:
        names = (file for file in folder.iterdir() if LEFT_OVER.fullmatch(file.name))
        return [file for file in names if file.is_file()]
    except OSError:
        return []
