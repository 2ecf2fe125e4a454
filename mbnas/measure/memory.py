"""What mbnas has learnt of this machine, kept from process to process.

A search that begins while the machine is busy must not take that for the machine's best.
"""

from __future__ import annotations

import contextlib
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

from pydantic import BaseModel, ValidationError

from mbnas.files import write_atomically

FORGOTTEN_AFTER = timedelta(days=30)
"""A pace kept for so long may belong to a machine that is no more."""


class KnownPace(BaseModel):
    """The best pace of a host at some number of threads.

    Attributes:
        pace_ms: Shortest time of the pace network.
        reference_ms: The reference network's latency at that pace, to which others are scaled.
        learnt: When.
    """

    pace_ms: float
    reference_ms: float
    learnt: datetime


class _File(BaseModel):
    hosts: dict[str, KnownPace] = {}


def cache_folder() -> Path:
    """Where mbnas keeps what it has learnt of this machine: $MBNAS_CACHE, or ~/.cache/mbnas."""
    own = os.environ.get("MBNAS_CACHE")
    if own:
        return Path(own)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "mbnas"


def recall_pace(host: str) -> KnownPace | None:
    """What is known of a host, by its fingerprint."""
    known = _read().hosts.get(host)
    if known is None or datetime.now(UTC) - known.learnt > FORGOTTEN_AFTER:
        return None
    return known


def remember_pace(host: str, pace_ms: float, reference_ms: float) -> None:
    """Keeps a host's pace; where that cannot be written, the next process learns it again."""
    learnt = datetime.now(UTC).replace(microsecond=0)
    there = _read()
    there.hosts[host] = KnownPace(pace_ms=pace_ms, reference_ms=reference_ms, learnt=learnt)
    path = _path()
    with contextlib.suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, there.model_dump_json(indent=1).encode())


def _path() -> Path:
    return cache_folder() / "pace.json"


def _read() -> _File:
    try:
        return _File.model_validate_json(_path().read_bytes())
    except (OSError, ValidationError):
        return _File()
