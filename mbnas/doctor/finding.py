"""What one check has to say."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

State = Literal["well", "note", "fault"]
"""note: worth knowing, a search works all the same. fault: something will not work."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of an examination.

    Attributes:
        what: The subject, in a word or two.
        state: Whether it is well.
        said: What was found, in one line.
        mend: What to do about it; None where there is nothing to do. Every fault has one.
    """

    what: str
    state: State
    said: str
    mend: str | None = None


def well(what: str, said: str) -> Finding:
    """As it should be."""
    return Finding(what, "well", said)


def note(what: str, said: str, mend: str | None = None) -> Finding:
    """Worth knowing."""
    return Finding(what, "note", said, mend)


def fault(what: str, said: str, mend: str) -> Finding:
    """Wrong, and what mends it."""
    return Finding(what, "fault", said, mend)


def gib(size_bytes: float) -> str:
    """`3.4 GiB`, or `120 MiB` of what is small."""
    if size_bytes < 2**30:
        return f"{size_bytes / 2**20:.0f} MiB"
    return f"{size_bytes / 2**30:.1f} GiB"


def first_line(error: BaseException) -> str:
    """What an error says, on one line; its type where it says nothing."""
    text = str(error).strip().partition("\n")[0].strip()
    return text or type(error).__name__
