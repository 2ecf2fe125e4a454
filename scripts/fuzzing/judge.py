"""What bad input may come to: accepted, or refused in one line that names the place."""

from __future__ import annotations

import hashlib
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import mbnas
from mbnas.errors import MbnasError

Status = Literal["accepted", "refused", "fault", "hang", "crash"]
LONGEST_MESSAGE = 1000
_PACKAGE = Path(mbnas.__file__).parent


class UntoldError(Exception):
    """An `MbnasError` that does not say, in one line, which file it speaks of."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One way to fail.

    Attributes:
        name: The error and where it was raised: the same for all cases that fail so.
        said: The traceback.
        file: What reproduces it, in the folder of faults.
    """

    name: str
    said: str
    file: str = ""

    @property
    def mark(self) -> str:
        """A short name that a file can have."""
        return hashlib.sha256(self.name.encode()).hexdigest()[:8]


def judged(work: Callable[[], object], *named: object) -> Status:
    """Does something with bad input; any error but a told `MbnasError` passes through.

    Args:
        work: What is done.
        named: A refusal must name one of these.
    """
    try:
        work()
    except MbnasError as error:
        message = str(error)
        if len(message.splitlines()) != 1 or len(message) > LONGEST_MESSAGE:
            raise UntoldError(f"not one short line: {message[:2000]!r}") from error
        if named and not any(str(name) in message for name in named):
            raise UntoldError(f"names no file: {message!r}") from error
        return "refused"
    return "accepted"


def fault_of(error: BaseException) -> Fault:
    """What an error is called: its type, and the last place of mbnas that it came through."""
    place, last = "", ""
    origin = error.__cause__ if isinstance(error, UntoldError) and error.__cause__ else error
    for frame in traceback.extract_tb(origin.__traceback__):
        last = f"{Path(frame.filename).name} {frame.name}"
        file = Path(frame.filename)
        if file.is_relative_to(_PACKAGE):
            place = f"mbnas/{file.relative_to(_PACKAGE)} {frame.name}"
    said = "".join(traceback.format_exception(error, limit=-25))
    return Fault(f"{type(error).__name__} in {place or last}", said[-6000:])
