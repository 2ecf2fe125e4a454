"""How fast the machine is at this moment, told by one small network that never changes.

A core's speed varies with what shares it: another hyperthread, another virtual machine, heat.
The pace network takes a tenth of a millisecond, so that it can stand before and after every
burst of timed runs and say of each whether it was disturbed.
"""

from __future__ import annotations

from collections.abc import Callable

from mbnas.measure.onnx_file import to_onnx
from mbnas.measure.session import noise_for, open_session, run_session
from mbnas.network import Architecture, Head, Stage, Stem


def pace_network() -> Architecture:
    """Two small MBConv blocks: the operators of a mobile network in 1.5 million MACs."""
    return Architecture(
        resolution=12,
        stem=Stem(width=32, stride=1),
        stages=(Stage(block="mbconv", width=32, depth=2, stride=1, kernel=3, expansion=2),),
        head=Head(width=0),
    )


class Pace:
    """The machine's pace now against the best it has shown.

    Args:
        threads: Threads of the timed networks.
        clock: Gives nanoseconds.
        best_ms: The best known from earlier; None where nothing is.
    """

    def __init__(self, threads: int, clock: Callable[[], int], best_ms: float | None) -> None:
        self._session = open_session(to_onnx(pace_network().lower(10)), threads)
        self._feed = noise_for(self._session)
        self._clock = clock
        self._best_ns = float("inf") if best_ms is None else best_ms * 1e6
        self._last_ns = float("inf")
        self._run_ns()  # the first runs allocate
        self._run_ns()

    @property
    def best_ms(self) -> float:
        """The shortest time of the pace network, on an undisturbed core."""
        return self._best_ns / 1e6

    def slowdown(self) -> float:
        """Time of the pace network now over its best; about 1 on an undisturbed core."""
        self._run_ns()  # brings its weights back into the cache
        now = self._run_ns()
        # Two in a row: one short time alone may be the clock's.
        self._best_ns = min(self._best_ns, max(now, self._last_ns))
        self._last_ns = now
        return now / self._best_ns if self._best_ns < float("inf") else 1.0

    def _run_ns(self) -> int:
        start = self._clock()
        run_session(self._session, self._feed)
        return self._clock() - start
