"""Processes that leave Ctrl-C, and perhaps SIGTERM, to the one that began them."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Iterator
from multiprocessing import resource_tracker

_INTERRUPTS = (signal.SIGINT, signal.SIGTERM)
_CAN_HOLD = hasattr(signal, "pthread_sigmask")  # Windows cannot


@contextlib.contextmanager
def held_interrupts() -> Iterator[None]:
    """A process that is begun meanwhile hears of none before it calls `ignore`.

    Those that come to this process are heard afterwards.
    """
    if not _CAN_HOLD:
        yield
        return
    # The first process begun starts Python's resource tracker before itself, which lets both
    # signals through again.
    resource_tracker.ensure_running()
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _INTERRUPTS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def ignore(*numbers: signal.Signals) -> None:
    """Some of them for good, also those that came while all were held."""
    for number in numbers:
        signal.signal(number, signal.SIG_IGN)
    if _CAN_HOLD:  # what this process begins is to hear of them
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _INTERRUPTS)
