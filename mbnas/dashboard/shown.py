"""The studies that a dashboard shows, by name, read again as they grow."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from pathlib import Path

from dash.exceptions import PreventUpdate

from mbnas.errors import StudyError
from mbnas.report.contests import stamp
from mbnas.search import Study, Trial
from mbnas.search.steering import Progress, read_progress
from mbnas.search.watched import WatchedStudy

SECONDS = 0.5
"""Between two looks at the folders, however many pages ask."""


class ShownStudies:
    """Studies by name; a name from a request finds one of these folders or nothing.

    Args:
        folders: The studies' folders; they need not hold a study yet.
    """

    def __init__(self, folders: Sequence[str | Path]) -> None:
        self._watched = dict(zip(_names(folders), map(WatchedStudy, folders), strict=True))
        self._versions = dict.fromkeys(self._watched, 0)
        self._contests = {name: stamp(watched.path) for name, watched in self._watched.items()}
        self._lock = threading.Lock()
        self._looked = -SECONDS

    @property
    def names(self) -> tuple[str, ...]:
        """What the studies are called, the first one first."""
        return tuple(self._watched)

    def look(self) -> dict[str, int]:
        """Reads what is new; for each study a number that changes when something is."""
        with self._lock:
            if time.monotonic() - self._looked >= SECONDS:
                for name, watched in self._watched.items():
                    contests = stamp(watched.path)
                    self._versions[name] += watched.look() or contests != self._contests[name]
                    self._contests[name] = contests
                self._looked = time.monotonic()
            return dict(self._versions)

    def study(self, name: object) -> Study | None:
        """The study of that name as it stood at the last look; None where there is none."""
        watched = self._watched.get(name) if isinstance(name, str) else None
        return None if watched is None else watched.study

    def known(self, name: object) -> Study:
        """The same, for callbacks, which end without a word where there is none."""
        study = self.study(name)
        if study is None:
            raise PreventUpdate
        return study

    def trial(self, name: object, number: object) -> Trial | None:
        """A finished trial of that study; None where there is none."""
        study = self.study(name)
        try:
            return study.trial(number) if study and isinstance(number, int) else None
        except StudyError:
            return None

    def folder(self, name: object) -> Path | None:
        """The folder of the study of that name."""
        watched = self._watched.get(name) if isinstance(name, str) else None
        return None if watched is None else watched.path

    def problems(self, name: object) -> list[str]:
        """What is wrong with a study or its trials, a line each."""
        watched = self._watched.get(name) if isinstance(name, str) else None
        if watched is None:
            return ["no such study is shown here"]
        found = [] if watched.problem is None else [watched.problem]
        return found + list(watched.damaged.values())

    def progress(self, name: object) -> Progress | None:
        """How its search goes; None where none is known."""
        folder = self.folder(name)
        try:
            return None if folder is None else read_progress(folder)
        except StudyError:  # half a story is none
            return None


def _names(folders: Sequence[str | Path]) -> list[str]:
    """Folder names, told apart by their parents where they are the same."""
    paths = [_resolved(folder) for folder in folders]
    names = [path.name for path in paths]
    found: list[str] = []
    for path, name in zip(paths, names, strict=True):
        full = name if names.count(name) == 1 else f"{path.parent.name}/{name}"
        found.append(full if full not in found else f"{full} ({len(found) + 1})")
    return found


def _resolved(folder: str | Path) -> Path:
    try:
        return Path(folder).resolve()
    except ValueError as error:  # a null character
        raise StudyError(f"{str(folder)!r}: no path ({error})") from None
