"""Memory that trainings share."""

from __future__ import annotations

import contextlib
import threading
from collections import deque
from collections.abc import Iterator, Sequence

WHOLE = 1.0
USABLE = 0.8
"""Share of the device's free memory that trainings fill by their own estimate."""
PACK_ON_GPU = 4
"""Processes that train on a GPU at once, where nobody says how many."""


def fits(share: float, held: Sequence[float]) -> bool:
    """Whether a share is left; whoever has the whole is alone, even with those that have none."""
    if not held:
        return True
    return WHOLE not in (share, *held) and sum(held) + share <= WHOLE


class Room:
    """Lets in as many as fit, in the order in which they came; the largest is let in alone."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._waiting: deque[object] = deque()
        self._held: list[float] = []

    @contextlib.contextmanager
    def hold(self, share: float) -> Iterator[None]:
        """Waits for a share of the room, at most the whole, and holds it."""
        share = min(share, WHOLE)
        ticket = object()
        with self._changed:
            self._waiting.append(ticket)
            self._changed.wait_for(lambda: self._waiting[0] is ticket and fits(share, self._held))
            self._waiting.popleft()
            self._held.append(share)
            self._changed.notify_all()
        try:
            yield
        finally:
            with self._changed:
                self._held.remove(share)
                self._changed.notify_all()
