"""Latency on this machine's CPU: ONNX Runtime, batch 1, a stated number of threads.

`latency_ms` is the time of a run on an undisturbed core: the 20 % quantile over undisturbed bursts
of each burst's median, in the thread's own CPU time where it is alone, scaled by a reference
network timed alongside. p50 and p90 are of all runs by the clock: what this machine adds.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from mbnas.errors import MeasureError
from mbnas.measure.cores import CoreLock
from mbnas.measure.estimate import enough, estimate, reference_latency_ms
from mbnas.measure.host import this_host
from mbnas.measure.memory import recall_pace, remember_pace
from mbnas.measure.onnx_file import to_onnx
from mbnas.measure.profile import OperatorTime, profile
from mbnas.measure.timing import Burst, Timer, Timing, reference_file
from mbnas.network import Architecture
from mbnas.network.checks import Check, number, shown, whole

SECONDS = 0.8
MOST_THREADS = 1024
MOST_SECONDS = 3600
LEARNING_SECONDS = 3.0
PROFILED_RUNS = 12
PROFILED_SECONDS = 0.5
BETTER = 0.9
"""The remembered reference latency gives way to one shorter than this share of it: the scale of
all latencies should not creep with every lucky moment."""


@dataclass(frozen=True, slots=True)
class Latency:
    """A distribution of run times of one network on one image, in milliseconds.

    Attributes:
        latency_ms: The estimate: a run on an undisturbed core.
        low_ms: Lower end of its 95 % interval.
        high_ms: Upper end of its 95 % interval.
        p50_ms: Median by the clock of all runs, disturbed ones too.
        p90_ms: 90 % quantile of the same.
        samples: Runs behind the estimate.
        runs: All runs.
        noisy: Whether the machine gave too few undisturbed runs, or too different ones.
        slowdown: The machine's pace meanwhile against its best, a median; 1 is undisturbed.
        reference_ms: The reference network's latency to which all are scaled; None where it was
            not known.
        threads: Threads that the network used.
        pinned: Whether the thread was held on its cores.
        host: Fingerprint of the machine.
    """

    latency_ms: float
    low_ms: float
    high_ms: float
    p50_ms: float
    p90_ms: float
    samples: int
    runs: int
    noisy: bool
    slowdown: float
    reference_ms: float | None
    threads: int
    pinned: bool
    host: str


class LatencyMeter(Protocol):
    """Measures how long architectures take."""

    @property
    def threads(self) -> int:
        """Threads that a measured network uses."""
        ...

    def measure(self, architectures: Sequence[Architecture], classes: int) -> list[Latency]:
        """Latencies in the order given, samples interleaved.

        Raises:
            MeasureError: a network cannot be run.
        """
        ...


class FileMeter(Protocol):
    """Measures how long ONNX files take."""

    @property
    def threads(self) -> int:
        """Threads that a measured network uses."""
        ...

    def measure_files(self, files: Sequence[bytes]) -> list[Latency]:
        """Latencies in the order given, samples interleaved.

        Raises:
            MeasureError: a file cannot be run.
        """
        ...


class AnyMeter(LatencyMeter, FileMeter, Protocol):
    """Measures how long either take."""


class Predictor(Protocol):
    """Tells latencies without measuring; to choose what to measure, never to report."""

    def predict(self, architectures: Sequence[Architecture]) -> NDArray[np.float64]:
        """`latency_ms` of each, (networks,)."""
        ...


class OrtLatencyMeter:
    """Times networks with ONNX Runtime on this machine's CPU.

    One measurement at a time on a machine, and none while mbnas trains on its cores.

    Args:
        threads: Threads of each network.
        seconds: Time for each network at most; on a quiet machine it takes less.
        on_wait: Called when trainings or other measurements keep it waiting for two seconds.

    Raises:
        MeasureError: no number of threads or too many, or no time.
    """

    def __init__(
        self,
        threads: int = 1,
        seconds: float = SECONDS,
        on_wait: Callable[[], None] = lambda: None,
    ) -> None:
        self._threads: int = _checked("threads", whole(1, MOST_THREADS), threads)
        self.seconds: float = _checked("seconds", number(0, MOST_SECONDS, above=True), seconds)
        self._host = this_host(self._threads).fingerprint
        self.on_wait = on_wait
        self._cores = CoreLock(on_wait=self._waits)
        self._reference_ms: float | None = None
        self._timer: Timer | None = None

    def __reduce__(self) -> tuple[type[OrtLatencyMeter], tuple[int, float]]:
        """For another process, whose locks are its own."""
        return type(self), (self._threads, self.seconds)

    @property
    def threads(self) -> int:
        """Threads that a measured network uses."""
        return self._threads

    def measure(self, architectures: Sequence[Architecture], classes: int) -> list[Latency]:
        """Latencies in the order given, samples interleaved, beside the reference network's.

        Raises:
            MeasureError: a network cannot be run.
        """
        return self.measure_files([to_onnx(one.lower(classes)) for one in architectures])

    def measure_files(self, files: Sequence[bytes]) -> list[Latency]:
        """The same for ONNX files with one input.

        Raises:
            MeasureError: a file cannot be run.
        """
        if not files:
            return []
        with self._cores.alone():
            timer = self._ready_timer()
            timings = timer.time(files, self.seconds, enough)
        self._learn(timer, timer.reference_bursts)
        return [self._latency(timing, timer) for timing in timings]

    def profile(
        self, content: bytes, runs: int = PROFILED_RUNS, seconds: float = PROFILED_SECONDS
    ) -> list[OperatorTime]:
        """Times of an ONNX file's operators, at undisturbed moments.

        Raises:
            MeasureError: the file cannot be run.
        """
        with self._cores.alone():
            return profile(content, self._ready_timer(), runs, seconds)

    def _waits(self) -> None:
        self.on_wait()  # as it is by then

    def _ready_timer(self) -> Timer:
        if self._timer is None:
            known = recall_pace(self._host)
            self._timer = Timer(self._threads, None if known is None else known.pace_ms)
            if known is not None:
                self._reference_ms = known.reference_ms
            else:  # a machine never seen before
                (timing,) = self._timer.time([reference_file()], LEARNING_SECONDS)
                self._learn(self._timer, timing.bursts)
        return self._timer

    def _learn(self, timer: Timer, reference: Sequence[Burst]) -> None:
        """Remembers the reference network's latency, if it was timed well and is news."""
        now_ms = reference_latency_ms(reference)
        if now_ms is None:
            return
        if self._reference_ms is None or now_ms < BETTER * self._reference_ms:
            remember_pace(self._host, timer.pace.best_ms, now_ms)
        # Within a process the scale stays: latencies of one search must compare.
        self._reference_ms = self._reference_ms or now_ms

    def _latency(self, timing: Timing, timer: Timer) -> Latency:
        found = estimate(timing, self._reference_ms)
        wall_ms = np.concatenate([burst.wall_ms for burst in timing.bursts])
        p50_ms, p90_ms = np.quantile(wall_ms, [0.5, 0.9])
        return Latency(
            latency_ms=found.latency_ms,
            low_ms=found.low_ms,
            high_ms=found.high_ms,
            p50_ms=float(p50_ms),
            p90_ms=float(p90_ms),
            samples=found.samples,
            runs=len(wall_ms),
            noisy=found.noisy,
            slowdown=float(np.median([burst.slowdown for burst in timing.bursts])),
            reference_ms=self._reference_ms,
            threads=self._threads,
            pinned=timer.pinned,
            host=self._host,
        )


def _checked(name: str, check: Check, value: object) -> Any:
    """A setting of the meter as its check gives it back."""
    try:
        return check(value)
    except ValueError as error:
        raise MeasureError(f"{name} = {shown(value)}: {error}") from None
