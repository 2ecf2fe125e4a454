"""Who has a study: one process at a time, known by host and number, however it ends."""

from __future__ import annotations

import contextlib
import os
import platform
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psutil
from filelock import FileLock, Timeout
from pydantic import AwareDatetime, TypeAdapter, ValidationError

from mbnas.errors import StudyError
from mbnas.files import write_atomically

HOLDER_FILE = "holder.json"
LOCK_FILE = ".lock"
_SAME_PROCESS_SECONDS = 2.0  # creation times shift a little when the clock is set


@dataclass(frozen=True, slots=True)
class Process:
    """One process of all that ever ran anywhere.

    Attributes:
        host: Name of its machine.
        pid: Its number there.
        process_began: When it was created, in seconds since 1970.
    """

    host: str
    pid: int
    process_began: float

    @classmethod
    def this(cls) -> Process:
        """The one that asks."""
        return cls(platform.node(), os.getpid(), psutil.Process().create_time())

    @property
    def is_of_this_host(self) -> bool:
        """Whether it can be known here if it is alive."""
        return self.host == platform.node()

    @property
    def is_alive_here(self) -> bool:
        """Whether it runs on this host."""
        if not self.is_of_this_host:
            return False
        try:
            process = psutil.Process(self.pid)
            same = abs(process.create_time() - self.process_began) < _SAME_PROCESS_SECONDS
            return same and process.status() != psutil.STATUS_ZOMBIE
        except (psutil.Error, ValueError, OverflowError):  # no process, or no process's number
            return False


@dataclass(frozen=True, slots=True)
class Holder:
    """Who has a folder.

    Attributes:
        process: The process.
        since: Since when, in UTC.
        token: Told to nobody else.
    """

    process: Process
    since: AwareDatetime
    token: str

    def __str__(self) -> str:
        when = self.since.strftime("%Y-%m-%d %H:%M UTC")
        return f"process {self.process.pid} on {self.process.host}, since {when}"


_ADAPTER = TypeAdapter(Holder)


@dataclass(frozen=True, slots=True)
class Held:
    """A folder that this process has.

    Attributes:
        folder: The folder.
        holder: This process, as the others see it.
    """

    folder: Path
    holder: Holder

    def check(self) -> None:
        """Ends this process's say over the folder where somebody has taken it over.

        Raises:
            StudyError: another process has it by now, or had it since.
        """
        there = read_holder(self.folder)
        if there is not None and there.token != self.holder.token:
            raise StudyError(f"{self.folder}: was taken over by {there}; this search ends here")
        if there is None and not (self.folder / HOLDER_FILE).exists():
            raise StudyError(
                f"{self.folder}: was taken over, and given back since; this search ends here"
            )


def read_holder(folder: Path) -> Holder | None:
    """Who has a folder, or had it and never gave it back; None where nobody is known."""
    try:
        return _ADAPTER.validate_json((folder / HOLDER_FILE).read_bytes())
    except (OSError, ValidationError):
        return None


def write_holder(folder: Path, holder: Holder) -> None:
    """Says who has a folder.

    Raises:
        OSError: it cannot be written.
    """
    write_atomically(folder / HOLDER_FILE, _ADAPTER.dump_json(holder))


@contextlib.contextmanager
def held_folder(path: Path, busy: str, *, take_over: bool | None = None) -> Iterator[Held]:
    """Holds a folder, made if it is not there, for this process alone, however that ends.

    Args:
        path: The folder.
        busy: Why it cannot be had, if another process holds it.
        take_over: Whether to take it from a process of another host, whose end cannot be seen;
            None where the user has no way to ask for that.

    Raises:
        StudyError: it is held, or cannot be written.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
        lock = _acquired(path, busy, take_over=take_over)
        try:
            _check_left(path, busy, take_over=take_over)
            held = Held(path, Holder(Process.this(), _now(), uuid.uuid4().hex))
            write_holder(path, held.holder)
        except BaseException:
            lock.release()
            raise
    except OSError as error:
        raise StudyError(f"{path}: cannot be written ({error.strerror})") from None
    try:
        yield held
    finally:
        there = read_holder(path)
        if there is not None and there.token == held.holder.token:
            with contextlib.suppress(OSError):
                (path / HOLDER_FILE).unlink()
        lock.release()


def _acquired(path: Path, busy: str, *, take_over: bool | None) -> FileLock:
    """The folder's lock, which the system takes from a process that ends."""
    lock = FileLock(path / LOCK_FILE, timeout=0)
    try:
        lock.acquire()
    except Timeout:
        holder = read_holder(path)
        if holder is None or holder.process.is_of_this_host or not take_over:
            raise StudyError(_refusal(path, busy, holder, take_over)) from None
        # Its host holds the lock of a file that nobody finds any more.
        (path / LOCK_FILE).unlink(missing_ok=True)
        lock = FileLock(path / LOCK_FILE, timeout=0)
        lock.acquire()
    return lock


def _check_left(path: Path, busy: str, *, take_over: bool | None) -> None:
    """Looks at who had the folder and did not give it back; the dead of this host do not count."""
    holder = read_holder(path)
    if holder is None or holder.process == Process.this():
        return
    if holder.process.is_alive_here or not (holder.process.is_of_this_host or take_over):
        raise StudyError(_refusal(path, busy, holder, take_over))


def _refusal(path: Path, busy: str, holder: Holder | None, take_over: bool | None) -> str:
    if holder is None:
        return f"{path}: {busy}; wait for it or stop it"
    if holder.process.is_of_this_host:
        return f"{path}: {busy} ({holder}); wait for it or stop it"
    mend = "take the folder with --take-over"
    if take_over is None:
        mend = f"remove {HOLDER_FILE} and {LOCK_FILE} in that folder"
    return (
        f"{path}: {busy} ({holder}), for all that is known here; wait for it or stop it, and if"
        f" that process is dead, {mend}"
    )


def _now() -> Any:
    return datetime.now(UTC).replace(microsecond=0)
