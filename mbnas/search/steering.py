"""Watching and steering a search that runs, from outside.

The search says in its study's folder how it goes, in `progress.json`. Whoever wants it to pause, go
on or stop leaves a wish there, `wish.json`.

Paused, a search begins nothing new: no network is asked for, measured or trained. What is being
measured or trained, or is in line for the next free place of several, goes on to its end or its
next rung; then the search waits, and that waiting counts in no budget of time.

Stopped, it begins no new network, whatever is in line. What is in evaluation ends, as when a
budget is spent; then the search ends, and the same command goes on later. A stop is not taken back.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Literal

from pydantic import AwareDatetime, TypeAdapter, ValidationError

from mbnas.errors import StudyError
from mbnas.files import write_atomically
from mbnas.search.folder import StudyFolder
from mbnas.search.holder import Process

SCHEMA = 1
PROGRESS_FILE = "progress.json"
WISH_FILE = "wish.json"
SILENT_AT_MOST = timedelta(minutes=1)
"""After so long without a word, a search on another host is taken for dead."""
Wish = Literal["pause", "resume", "stop"]
State = Literal["searching", "paused", "stopping", "ended"]
"""paused: nothing new begins; stopping: what is in evaluation ends, and then the search."""

_WISHED: Mapping[Wish, State] = {"pause": "paused", "resume": "searching", "stop": "stopping"}


@dataclass(frozen=True, slots=True)
class InEvaluation:
    """How far a trial has come that is not at its end.

    Attributes:
        number: The trial's number.
        architecture: Its network's id.
        epoch: The last epoch that it was trained for; None while it is measured.
        epochs: Epochs of a whole training.
    """

    number: int
    architecture: str
    epoch: int | None
    epochs: int


@dataclass(frozen=True, slots=True)
class Progress:
    """How a search stood when it last said so: within half a second of every change.

    Attributes:
        host: Name of the machine it runs on.
        pid: Its process there.
        process_began: When that process was created, in seconds since 1970.
        state: What it does.
        began: When it began, in UTC.
        written: When this was written, in UTC; at least every 15 seconds.
        trials: Evaluated trials it is to come to in all; None where time or epochs alone end it.
        seconds: Time it is given; None where trials alone end it.
        evaluated: Trials evaluated so far, those of earlier searches on the study included.
        elapsed: Seconds it has worked; waiting while paused does not count.
        seconds_left: About how long it will work yet; None while that cannot be said.
        in_evaluation: The trials that it has begun and not ended.
        epochs: Epochs it is to train in all; None where something else ends it.
        schema_version: Of this file.
    """

    host: str
    pid: int
    process_began: float
    state: State
    began: AwareDatetime
    written: AwareDatetime
    trials: int | None
    seconds: float | None
    evaluated: int
    elapsed: float
    seconds_left: float | None
    in_evaluation: tuple[InEvaluation, ...]
    epochs: int | None = None
    schema_version: int = SCHEMA

    @property
    def is_alive(self) -> bool:
        """Whether the search still runs.

        On this host that is known from its process. On another one it is believed for a minute
        after the last word, by both clocks.
        """
        if self.state == "ended":
            return False
        process = Process(self.host, self.pid, self.process_began)
        if process.is_of_this_host:
            return process.is_alive_here
        return datetime.now(UTC) - self.written <= SILENT_AT_MOST

    def to_json(self) -> bytes:
        """What `read_progress` reads."""
        return _ADAPTER.dump_json(self, indent=2)


_ADAPTER = TypeAdapter(Progress)


def read_progress(folder: str | Path) -> Progress | None:
    """How the search on a study goes or went; None where none has begun yet.

    Raises:
        StudyError: the file cannot be read, or is damaged.
    """
    file = Path(folder) / PROGRESS_FILE
    try:
        content = file.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise StudyError(f"{file}: cannot be read ({error.strerror})") from None
    try:
        progress = _ADAPTER.validate_json(content)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "its text"
        raise StudyError(
            f"{file}: damaged at {where}: {first['msg']}; remove it, a search writes it anew"
        ) from None
    if progress.schema_version != SCHEMA:
        raise StudyError(f"{file}: schema {progress.schema_version}; this mbnas reads {SCHEMA}")
    return progress


def pause_search(study: str | Path) -> None:
    """Lets the search on a study begin nothing new until it is resumed.

    Raises:
        StudyError: not a study, or no search runs on it, or that is stopping already.
    """
    _leave(study, "pause")


def resume_search(study: str | Path) -> None:
    """Lets a paused search go on.

    Raises:
        StudyError: not a study, or no search runs on it, or that is stopping already.
    """
    _leave(study, "resume")


def stop_search(study: str | Path) -> None:
    """Lets the search on a study end as soon as what is in evaluation has ended.

    Raises:
        StudyError: not a study, or no search runs on it.
    """
    _leave(study, "stop")


def _leave(study: str | Path, wish: Wish) -> None:
    folder = StudyFolder(study)
    folder.read()  # says what is no study
    progress = read_progress(folder.path)
    if progress is None or not progress.is_alive:
        raise StudyError(f"{folder.path}: no search is running on it; start one with: mbnas search")
    file = folder.path / WISH_FILE
    if wish != "stop" and "stopping" in (progress.state, read_wish(file)):
        raise StudyError(
            f"{folder.path}: the search is stopping; once it has ended, its own command goes on"
        )
    try:
        write_atomically(file, json.dumps({"wish": wish}).encode())
    except OSError as error:
        raise StudyError(f"{file}: cannot be written ({error.strerror})") from None


def read_wish(file: Path) -> State | None:
    """The state that is wished for; None without a wish, or with one that cannot be read."""
    with contextlib.suppress(OSError, ValueError, LookupError, TypeError, RecursionError):
        return _WISHED[json.loads(file.read_bytes())["wish"]]
    return None
