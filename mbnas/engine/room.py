"""Memory that trainings share."""

from __future__ import annotations

import contextlib
import threading
from collections import deque
from collections.abc import Iterator

WHOLE = 1.0


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
            self._changed.wait_for(lambda: self._waiting[0] is ticket and self._fits(share))
            self._waiting.popleft()
            self._held.append(share)
            self._changed.notify_all()
        try:
            yield
        finally:
            with self._changed:
                self._held.remove(share)
                self._changed.notify_all()

    def _fits(self, share: float) -> bool:
        """Beside those inside; whoever holds the whole is alone, even with those that hold none."""
        if not self._held:
            return True
        return WHOLE not in (share, *self._held) and sum(self._held) + share <= WHOLE
