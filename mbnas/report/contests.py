"""The baselines of a study and its confirmed front, as reports and dashboards show them."""

from __future__ import annotations

import contextlib
from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path

from mbnas.analysis.baselines import FOLDER as BASELINES_FOLDER
from mbnas.analysis.baselines import RANDOM_FOLDER, Baselines, open_baselines
from mbnas.analysis.confirm import FOLDER as CONFIRM_FOLDER
from mbnas.analysis.confirm import open_confirmation
from mbnas.analysis.confirmation import Confirmation
from mbnas.errors import StudyError
from mbnas.search import Study

_KEPT = 8
_Key = tuple[object, ...]


@dataclass(frozen=True, slots=True)
class Contests:
    """What a study's front was held against.

    Attributes:
        baselines: None where there are none.
        confirmation: None until the front is confirmed.
        problem: Why one of them cannot be read; None where nothing is wrong.
    """

    baselines: Baselines | None
    confirmation: Confirmation | None
    problem: str | None = None


_READ: OrderedDict[_Key, Contests] = OrderedDict()


def contests(study: Study) -> Contests:
    """Those of a study; read again when their files, or the study's front, have changed."""
    key = _key(study)
    found = _READ.get(key)
    if found is None:
        found = _READ[key] = _read(study)
        with contextlib.suppress(KeyError):  # another thread may be at it too
            while len(_READ) > _KEPT:
                _READ.popitem(last=False)
    return found


def _read(study: Study) -> Contests:
    try:
        return Contests(open_baselines(study), open_confirmation(study))
    except StudyError as error:
        return Contests(None, None, str(error))


def stamp(folder: Path) -> tuple[int, ...]:
    """A value that changes when what is kept of a study's contests does."""
    places = (folder / BASELINES_FOLDER, folder / CONFIRM_FOLDER)
    names = (".", "contest.json", "latencies.json", "test.json", "trainings")
    # A trial's folder is there before its result is.
    random = (places[0] / RANDOM_FOLDER / "trials").glob("*/result.json")
    return (*(_changed(place / name) for place in places for name in names), len(list(random)))


def _key(study: Study) -> _Key:
    root = study.folder.path
    return (root.resolve(), stamp(root), tuple(trial.number for trial in study.front))


def _changed(file: Path) -> int:
    try:
        return file.stat().st_mtime_ns
    except OSError:
        return 0
