"""Ctrl-C, once and twice."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Callable, Iterator
from types import FrameType

from mbnas.engine.interrupts import INTERRUPTS


@contextlib.contextmanager
def interruptible(on_first: Callable[[], None]) -> Iterator[None]:
    """Inside, the first of `INTERRUPTS` is a call, and the next one a KeyboardInterrupt.

    Only in the main thread, where Python hears of signals, and where nobody else has a use of
    them: elsewhere they do what they did before.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    heard = False

    def hear(number: int, frame: FrameType | None) -> None:  # noqa: ARG001
        nonlocal heard
        if heard:
            raise KeyboardInterrupt
        heard = True
        on_first()

    before = {
        number: signal.signal(number, hear)
        for number in INTERRUPTS
        if signal.getsignal(number) in (signal.SIG_DFL, signal.default_int_handler)
    }
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
