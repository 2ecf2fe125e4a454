"""A study looked at again and again while it grows; only what is new is read."""

from __future__ import annotations

from pathlib import Path

from mbnas.errors import StudyError
from mbnas.search.folder import StudyFolder
from mbnas.search.study import Study
from mbnas.search.trial import Trial


class WatchedStudy:
    """A study's folder that a search may be writing to.

    Attributes:
        path: The folder.
        study: The study as it stood at the last look; None while there is none to be read.
        problem: Why there is none, in one line; None where there is one.
        damaged: What is said of each trial that cannot be read; the others are shown without it.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self.study: Study | None = None
        self.problem: str | None = None
        self.damaged: dict[int, str] = {}
        self._folder = StudyFolder(path)
        self._trials: dict[int, Trial] = {}

    def look(self) -> bool:
        """Reads what is new; whether anything is."""
        before = (self.problem, len(self.damaged), len(self._trials))
        try:
            record, space = self._folder.read()
        except StudyError as error:
            self.study, self.problem = None, str(error)
            self._trials, self.damaged = {}, {}
            return before[0] != self.problem
        if self.study is not None and self.study.record.created != record.created:
            self._trials, self.damaged = {}, {}  # another study in the same folder
        fresh = self._read_new()
        if fresh:
            self._trials = dict(sorted({**self._trials, **fresh}.items()))
        changed = bool(fresh) or before != (None, len(self.damaged), len(self._trials))
        if changed or self.study is None or self.study.record != record:
            self.study = Study(self._folder, record, space, list(self._trials.values()))
            self.problem = None
            return True
        return False

    def _read_new(self) -> dict[int, Trial]:
        found: dict[int, Trial] = {}
        for number in self._folder.trial_numbers():
            if number in self._trials:
                continue
            try:
                trial = self._folder.read_result(number)
            except StudyError as error:
                self.damaged[number] = str(error)
                continue
            self.damaged.pop(number, None)
            if trial is not None:
                found[number] = trial
        return found
