"""Latency on this machine's CPU: ONNX Runtime, batch 1, a stated number of threads.

`latency_ms` is the 20 % quantile of single runs. Whatever disturbs a run makes it longer, never
shorter, so a low quantile repeats better than a mean or a median, and, unlike the minimum, does
not hang on one lucky run. p50 and p90 say what a busy machine adds.
"""

from __future__ import annotations

import contextlib
import gc
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import onnxruntime
from filelock import FileLock
from numpy.typing import NDArray

from mbnas.errors import MeasureError
from mbnas.measure.host import pinned
from mbnas.measure.onnx_file import to_onnx
from mbnas.network import Architecture, reference

QUANTILE = 0.2
NOISY_INTERVAL = 0.05
NOISY_DRIFT = 0.10


@dataclass(frozen=True, slots=True)
class Latency:
    """A distribution of run times of one network on one image, in milliseconds.

    Attributes:
        latency_ms: The estimate, the 20 % quantile of single runs.
        low_ms: Lower end of its 95 % interval.
        high_ms: Upper end of its 95 % interval.
        p50_ms: Median of single runs.
        p90_ms: 90 % quantile of single runs.
        samples: Number of single runs.
        noisy: Whether the interval is wider than 5 % of the estimate, or the first and second
            half of the measurement differ by more than 10 %.
        reference_ms: The estimate of the reference network timed alongside; its drift from one
            measurement to the next is the machine's.
        threads: Threads that the network used.
        pinned: Whether the thread was held on its cores.
    """

    latency_ms: float
    low_ms: float
    high_ms: float
    p50_ms: float
    p90_ms: float
    samples: int
    noisy: bool
    reference_ms: float | None
    threads: int
    pinned: bool


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


class OrtLatencyMeter:
    """Times architectures with ONNX Runtime on this machine's CPU.

    Args:
        threads: Threads for each network.
        seconds: Time to spend on each network, warm-up apart.

    Raises:
        MeasureError: fewer than one thread.
    """

    def __init__(self, threads: int = 1, seconds: float = 0.5) -> None:
        if threads < 1:
            raise MeasureError(f"threads = {threads}: a timed network needs at least 1")
        self._threads = threads
        self._seconds = seconds
        # Alongside every measurement runs one small network that never changes.
        anchor = reference("mobilenet_v2", 32, width_multiplier=0.35, small=True)
        self._anchor = to_onnx(anchor.lower(10))

    @property
    def threads(self) -> int:
        """Threads that a measured network uses."""
        return self._threads

    def measure(self, architectures: Sequence[Architecture], classes: int) -> list[Latency]:
        """Latencies in the order given, samples interleaved, beside the reference network's.

        Raises:
            MeasureError: a network cannot be run.
        """
        files = [to_onnx(architecture.lower(classes)) for architecture in architectures]
        runs, held = time_files([*files, self._anchor], self._threads, self._seconds)
        anchor_ms = float(np.quantile(runs[-1], QUANTILE))
        return [summarise(times, self._threads, held, anchor_ms) for times in runs[:-1]]


def time_files(
    files: Sequence[bytes], threads: int = 1, seconds: float = 0.5
) -> tuple[list[NDArray[np.float64]], bool]:
    """Run times in milliseconds of some ONNX files, in rounds that take turns.

    One measurement at a time on a machine: others wait for its lock. That nothing else, such as
    another search's training, keeps the cores busy meanwhile is the caller's to see to.

    Returns:
        The times of each file, (samples,), and whether the thread was held on its cores.

    Raises:
        MeasureError: a file cannot be run.
    """
    with _machine_lock(), pinned(threads) as held:
        runners = [_Runner(file, threads) for file in files]
        for runner in runners:
            runner.warm_up()
        with _no_garbage_collection():
            deadline = time.perf_counter() + seconds * len(runners)
            rounds = 0
            while rounds < 5 or time.perf_counter() < deadline:
                for runner in runners:
                    runner.burst()
                rounds += 1
    return [np.asarray(runner.times) for runner in runners], held


def summarise(
    times: NDArray[np.float64], threads: int, held: bool, reference_ms: float | None = None
) -> Latency:
    """The latency that a series of run times in milliseconds, in their order, speaks for."""
    ordered = np.sort(times)
    count = len(ordered)
    # The quantile's interval from order statistics: ranks of a binomial, normal approximation.
    spread = 1.96 * np.sqrt(count * QUANTILE * (1 - QUANTILE))
    low = ordered[max(0, int(np.floor(count * QUANTILE - spread)))]
    high = ordered[min(count - 1, int(np.ceil(count * QUANTILE + spread)))]
    estimate, p50, p90 = np.quantile(times, [QUANTILE, 0.5, 0.9])
    halves = [np.quantile(half, QUANTILE) for half in np.array_split(times, 2)]
    drift = abs(halves[1] - halves[0]) / estimate
    return Latency(
        latency_ms=float(estimate),
        low_ms=float(low),
        high_ms=float(high),
        p50_ms=float(p50),
        p90_ms=float(p90),
        samples=count,
        noisy=bool((high - low) > NOISY_INTERVAL * estimate or drift > NOISY_DRIFT),
        reference_ms=reference_ms,
        threads=threads,
        pinned=held,
    )


def open_session(content: bytes, threads: int = 1) -> onnxruntime.InferenceSession:
    """An ONNX Runtime session on the CPU with graph optimisations on.

    Raises:
        MeasureError: the file cannot be loaded.
    """
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
    options.log_severity_level = 3
    try:
        return onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    except _ORT_ERRORS as error:
        raise MeasureError(f"ONNX Runtime cannot load the network: {_line(error)}") from None


def run_session(
    session: onnxruntime.InferenceSession, feed: Mapping[str, NDArray[Any]]
) -> NDArray[Any]:
    """The first output of a network for one input.

    Raises:
        MeasureError: it cannot be computed.
    """
    try:
        first: NDArray[Any] = session.run(None, feed)[0]
    except _ORT_ERRORS as error:
        raise MeasureError(f"ONNX Runtime cannot run the network: {_line(error)}") from None
    return first


class _Runner:
    """One network, its input, and the times it has taken so far."""

    WARM_UP_RUNS = 5
    WARM_UP_SECONDS = 0.03
    BURST_SECONDS = 0.01

    def __init__(self, content: bytes, threads: int) -> None:
        self._session = open_session(content, threads)
        (image,) = self._session.get_inputs()
        shape = [size if isinstance(size, int) else 1 for size in image.shape]
        values = np.random.default_rng(0).standard_normal(shape, np.float32)
        self._feed = {image.name: values}
        self.times: list[float] = []
        self._burst = 3

    def warm_up(self) -> None:
        start = time.perf_counter()
        runs = 0
        while runs < self.WARM_UP_RUNS or time.perf_counter() - start < self.WARM_UP_SECONDS:
            last = self._run_ms()
            runs += 1
        self._burst = max(3, min(100, round(self.BURST_SECONDS * 1000 / last)))

    def burst(self) -> None:
        """Some runs in a row; the first refills the caches that the others' turn emptied."""
        self._run_ms()
        self.times.extend(self._run_ms() for _ in range(self._burst))

    def _run_ms(self) -> float:
        start = time.perf_counter_ns()
        run_session(self._session, self._feed)
        return (time.perf_counter_ns() - start) / 1e6


_ORT_ERRORS = tuple(
    kind
    for kind in vars(onnxruntime.capi.onnxruntime_pybind11_state).values()
    if isinstance(kind, type) and issubclass(kind, Exception)
)


def _line(error: Exception) -> str:
    return " ".join(str(error).split())


def _machine_lock() -> FileLock:
    return FileLock(Path(tempfile.gettempdir()) / "mbnas-latency.lock", mode=0o666)


@contextlib.contextmanager
def _no_garbage_collection() -> Iterator[None]:
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()
