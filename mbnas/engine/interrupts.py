"""Processes that leave Ctrl-C and its like to the one that began them."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Iterator
from multiprocessing import resource_tracker

INTERRUPTS = tuple(
    signal.Signals[name] for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)
)
"""Ctrl-C; what a cluster sends some time before it kills; a terminal that closes."""
_CAN_HOLD = hasattr(signal, "pthread_sigmask")  # Windows cannot


@contextlib.contextmanager
def held_interrupts() -> Iterator[None]:
    """A process that is begun meanwhile hears of none before it calls `ignore`.

    Those that come to this process are heard afterwards.
    """
    if not _CAN_HOLD:
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, INTERRUPTS)
    try:
        # The first process begun starts Python's resource tracker before itself, which lets the
        # first two through again; of the third it must not die, or nobody frees shared memory.
        resource_tracker.ensure_running()
        signal.pthread_sigmask(signal.SIG_BLOCK, INTERRUPTS)
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def leave_to_driver() -> None:
    """Ignores them for good, also those that came while all were held."""
    for number in INTERRUPTS:
        signal.signal(number, signal.SIG_IGN)
    if _CAN_HOLD:  # what this process begins is to hear of them
        signal.pthread_sigmask(signal.SIG_UNBLOCK, INTERRUPTS)
