"""Measuring in a process of its own, while this one trains on a GPU."""

from __future__ import annotations

import contextlib
import multiprocessing
import time
from collections import deque
from collections.abc import Sequence
from multiprocessing.connection import Connection

from mbnas.engine.interrupts import held_interrupts, leave_to_driver
from mbnas.engine.jobs import Failed, Measure, Measured
from mbnas.engine.work import TRIAL_FAILURES, LostProcessError, failed, how_ended, sendable
from mbnas.errors import MeasureError
from mbnas.measure.cores import keep_to, reserved_cores, usable_cores, with_hyperthreads
from mbnas.measure.latency import Latency, OrtLatencyMeter
from mbnas.network import Architecture

_ENDING_SECONDS = 5.0


class MeasuringProcess:
    """Measures one network after another, in the order in which they are submitted.

    It has some cores to itself, where there are enough, and this process keeps off them. It ends
    with this process, however that ends.

    Args:
        threads: Threads of a measured network.
        seconds: Time for each.
    """

    def __init__(self, threads: int, seconds: float) -> None:
        self._settings = (threads, seconds)
        self._closed = False
        self._submitted: deque[tuple[Architecture, int]] = deque()
        self._cores = usable_cores()
        self._reserved = reserved_cores(threads)
        if self._reserved:
            left = set(self._cores) - with_hyperthreads(self._reserved)
            keep_to(sorted(left) or self._cores)
        self._start()

    @property
    def threads(self) -> int:
        """Threads of a measured network."""
        return self._settings[0]

    def measure(self, architectures: Sequence[Architecture], classes: int) -> list[Latency]:
        """Latencies in the order given, one after the other.

        Raises:
            MeasureError: a network cannot be run, or the process died.
        """
        for architecture in architectures:
            self.submit(architecture, classes)
        return [self.result()[0] for _ in architectures]

    def submit(self, architecture: Architecture, classes: int) -> None:
        """Has a network measured; returns at once."""
        self._submitted.append((architecture, classes))
        self._send(architecture, classes)

    def result(self) -> tuple[Latency, float]:
        """Of the network submitted first of those not told yet: its latency, and seconds taken.

        One of which the process died is measured once more, by a new one.

        Raises:
            MeasureError: it cannot be run, or the process died twice; the next ones get a new one.
        """
        told = self._told()
        if told is None:
            self._restart()
            told = self._told()
        self._submitted.popleft()
        if told is None:
            how = how_ended(self._process.exitcode)
            self._restart()
            raise LostProcessError(f"measuring: {how}, for the second time")
        if isinstance(told, Exception):
            raise told
        return told

    def _told(self) -> tuple[Latency, float] | Exception | None:
        """What the process says next; None if it died.

        Raises:
            MeasureError: it was closed.
        """
        try:
            told: tuple[Latency, float] | Exception = self._pipe.recv()
        except (EOFError, OSError, TypeError):
            if self._closed:  # in the middle of a read
                raise MeasureError("the measuring process was closed") from None
            self._process.join()
            return None
        return told

    def _restart(self) -> None:
        """Has another process measure what is submitted."""
        self._start()
        for architecture, classes in self._submitted:
            self._send(architecture, classes)

    def outcome(self, job: Measure) -> Measured | Failed:
        """What came of a job, whose network was the first to be submitted of those not told yet."""
        start = time.perf_counter()
        try:
            return Measured(job.trial, *self.result())
        except TRIAL_FAILURES as error:
            return failed(job, error, time.perf_counter() - start)

    def close(self) -> None:
        """Ends the process, and gives its cores back."""
        self._closed = True
        self._pipe.close()
        if self._reserved:
            keep_to(self._cores)
        self._process.join(_ENDING_SECONDS)
        if self._process.is_alive():
            self._process.kill()
            self._process.join()

    def _send(self, architecture: Architecture, classes: int) -> None:
        with contextlib.suppress(OSError):  # a dead process is told of by `result`
            self._pipe.send((architecture, classes))

    def _start(self) -> None:
        # Not forked: a process that has threads, as every one with torch has, must not be.
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(
            target=_measure,
            args=(theirs, self._reserved, *self._settings),
            daemon=True,
            name="mbnas-measuring",
        )
        with held_interrupts():
            self._process.start()
        theirs.close()


def _measure(pipe: Connection, cores: list[int], threads: int, seconds: float) -> None:
    """What the process does: until the pipe's other end is gone, measure what comes."""
    leave_to_driver()
    if cores:
        keep_to(cores)
    meter = OrtLatencyMeter(threads, seconds)
    with contextlib.suppress(EOFError, OSError):
        while True:
            architecture, classes = pipe.recv()
            try:
                start = time.perf_counter()
                (latency,) = meter.measure([architecture], classes)
                pipe.send((latency, time.perf_counter() - start))
            except Exception as error:  # noqa: BLE001 - raised again where it is asked for
                pipe.send(sendable(error))
