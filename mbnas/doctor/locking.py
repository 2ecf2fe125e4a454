"""Whether a lock is held, asked from wherever this runs."""

from __future__ import annotations

from typing import Literal

from filelock import FileLock, Timeout


def try_lock(file: str) -> Literal["free", "held"]:
    """Takes a lock, and gives it back at once, unless another process holds it."""
    try:
        with FileLock(file, timeout=0):
            return "free"
    except Timeout:
        return "held"
