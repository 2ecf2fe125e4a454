"""How well estimators of a latency repeat from one process to the next, under loads."""

from __future__ import annotations

import argparse
import os
import pickle
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from bench_latency_common import CLASSES, SPACE, say
from scipy.stats import kendalltau

import mbnas
from mbnas.measure.cores import pinning, usable_cores
from mbnas.measure.latency import OrtLatencyMeter
from mbnas.measure.session import noise_for, open_session
from mbnas.measure.timing import reference_file
from mbnas.network import Architecture

RANGE_MS = (0.5, 10.0)
LOADS = ("quiet", "other core", "same core")


def networks(count: int, seed: int = 5) -> list[Architecture]:
    """Networks of the space, spread over 0.5 to 10 ms on a logarithmic scale."""
    rng = random.Random(seed)
    timed: list[tuple[float, Architecture]] = []
    for _ in range(4 * count):
        architecture = SPACE.architecture(SPACE.sample(rng))
        session = open_session(mbnas.to_onnx(architecture.lower(CLASSES)))
        feed = noise_for(session)
        times = []
        for _ in range(6):
            start = time.perf_counter()
            session.run(None, feed)
            times.append(1000 * (time.perf_counter() - start))
        if RANGE_MS[0] <= min(times) <= RANGE_MS[1]:
            timed.append((min(times), architecture))
    chosen: list[Architecture] = []
    for target in np.geomspace(min(t for t, _ in timed), max(t for t, _ in timed), count):
        nearest = min(timed, key=lambda pair: abs(np.log(pair[0] / target)))
        timed.remove(nearest)
        chosen.append(nearest[1])
    random.Random(seed).shuffle(chosen)
    return chosen


class Series:
    """Runs of one network, back to back in bursts of 10 ms, beside the reference network's."""

    def __init__(self, content: bytes, reference: bytes) -> None:
        self._runs = [(open_session(one), []) for one in (content, reference)]

    def record(self, seconds: float) -> tuple[np.ndarray, np.ndarray]:
        """(runs, 3) of each: burst, wall ms, CPU ms."""
        feeds = [noise_for(session) for session, _ in self._runs]
        for (session, _), feed in zip(self._runs, feeds, strict=True):
            for _ in range(5):
                session.run(None, feed)
        end = time.perf_counter() + seconds
        burst = 0
        while burst < 5 or time.perf_counter() < end:
            for (session, rows), feed in zip(self._runs, feeds, strict=True):
                until = time.perf_counter() + 0.01
                while time.perf_counter() < until:
                    wall, cpu = time.perf_counter_ns(), time.thread_time_ns()
                    session.run(None, feed)
                    cpu = time.thread_time_ns() - cpu
                    rows.append((burst, (time.perf_counter_ns() - wall) / 1e6, cpu / 1e6))
            burst += 1
        first, second = (np.array(rows) for _, rows in self._runs)
        return first, second


def measure_once(path: Path, out: Path) -> None:
    """One process of an A/A comparison: every network by mbnas, then as long by plain series."""
    reference = reference_file()
    meter = OrtLatencyMeter()
    rows = []
    for architecture in pickle.loads(path.read_bytes()):
        content = mbnas.to_onnx(architecture.lower(CLASSES))
        start = time.perf_counter()
        (latency,) = meter.measure_files([content])
        seconds = time.perf_counter() - start
        rows.append((latency, seconds, *Series(content, reference).record(seconds)))
    out.write_bytes(pickle.dumps(rows))


def low(share: float, column: int) -> Callable[[np.ndarray, np.ndarray], float]:
    return lambda own, _: float(np.quantile(own[:, column], share))


def low_over_reference(share: float, column: int) -> Callable[[np.ndarray, np.ndarray], float]:
    def ratio(own: np.ndarray, other: np.ndarray) -> float:
        return float(np.quantile(own[:, column], share) / np.quantile(other[:, column], share))

    return ratio


def kept_core(own: np.ndarray, _: np.ndarray) -> float:
    """20 % quantile of bursts in which the thread kept its core."""
    bursts = own[:, 0].astype(int)
    lost = np.bincount(bursts, own[:, 1] > 1.05 * own[:, 2]) > 0
    kept = own[~lost[bursts], 1]
    return float(np.quantile(kept if len(kept) >= 5 else own[:, 1], 0.2))


def burst_ratio(own: np.ndarray, other: np.ndarray) -> float:
    """Median over bursts of the network's median CPU time over the reference's."""
    ratios = [
        np.median(own[own[:, 0] == burst, 2]) / np.median(other[other[:, 0] == burst, 2])
        for burst in np.unique(own[:, 0])
    ]
    return float(np.median(ratios))


ESTIMATORS: dict[str, Callable[[np.ndarray, np.ndarray], float]] = {
    "median of 50 runs (the usual way)": lambda own, _: float(np.median(own[:50, 1])),
    "median of all runs": low(0.5, 1),
    "mean of all runs": lambda own, _: float(own[:, 1].mean()),
    "minimum": low(0.0, 1),
    "20 % quantile": low(0.2, 1),
    "20 % quantile, bursts that kept the core": kept_core,
    "minimum of CPU time": low(0.0, 2),
    "20 % quantile of CPU time": low(0.2, 2),
    "20 % quantile over the reference's": low_over_reference(0.2, 1),
    "20 % quantile of CPU time over the reference's": low_over_reference(0.2, 2),
    "median over bursts of CPU time over the reference's": burst_ratio,
}
OURS = "mbnas: undisturbed bursts, scaled by the reference"


@contextmanager
def load_on(core: int | None) -> Iterator[None]:
    """The named load, on one core, while the context lasts."""
    if core is None:
        yield
        return
    code = (
        "import os, numpy as np\n"
        f"os.sched_setaffinity(0, [{core}])\n"
        "a = np.random.default_rng(0).random((700, 700), np.float32)\n"
        "while True: a @ a\n"
    )
    single = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
    process = subprocess.Popen([sys.executable, "-c", code], env={**os.environ, **single})
    try:
        time.sleep(2)
        yield
    finally:
        process.kill()
        process.wait()


def repeat(count: int, loads: Sequence[str]) -> dict[str, Any]:
    """A/A: all networks in two processes, under every load."""
    cores = usable_cores()
    series: dict[str, list[list[Any]]] = {}
    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / "networks.pkl"
        path.write_bytes(pickle.dumps(networks(count)))
        for load in loads:
            busy = {"quiet": None, "other core": cores[0], "same core": cores[-1]}[load]
            own = cores[-1:] if load == "same core" else cores
            series[load] = []
            for at in range(2):
                out = Path(name) / f"{load}-{at}.pkl"
                with load_on(busy), pinning() as hold:
                    hold(own)  # what is started inherits it
                    command = [sys.executable, __file__, str(path), str(out)]
                    subprocess.run(command, check=True)
                series[load].append(pickle.loads(out.read_bytes()))
                say(f"repeat: {load}, process {at + 1} of 2")
    values = {
        load: {
            OURS: [[row[0].latency_ms for row in rows] for rows in both],
            **{
                name: [[estimate(row[2], row[3]) for row in rows] for rows in both]
                for name, estimate in ESTIMATORS.items()
            },
        }
        for load, both in series.items()
    }
    found: dict[str, Any] = {}
    for load, both in series.items():
        found[load] = {
            "seconds_each": float(np.mean([row[1] for rows in both for row in rows])),
            "noisy": float(np.mean([row[0].noisy for rows in both for row in rows])),
            "slowdown": float(np.median([row[0].slowdown for rows in both for row in rows])),
            "intervals_overlap": float(
                np.mean(
                    [
                        one.low_ms <= other.high_ms and other.low_ms <= one.high_ms
                        for (one, *_), (other, *_) in zip(*both, strict=True)
                    ]
                )
            ),
            "estimators": {
                name: agreement(np.array(pair), np.array(values["quiet"][name]))
                for name, pair in values[load].items()
            },
        }
        # Where an estimate is off by more than 2 %, does it say so?
        quiet = np.exp(np.log(values["quiet"][OURS]).mean(axis=0))
        off = [
            row[0].noisy
            for rows in both
            for row, true in zip(rows, quiet, strict=True)
            if abs(row[0].latency_ms / true - 1) > 0.02
        ]
        found[load]["off_by_2_percent"] = len(off)
        found[load]["of_these_noisy"] = float(np.mean(off)) if off else None
    return found


def agreement(pair: np.ndarray, quiet: np.ndarray) -> dict[str, float]:
    """Of two processes' values (2, networks): how they differ, and from the quiet ones."""
    difference = np.abs(np.log(pair[0] / pair[1]))
    bias = np.log(pair).mean(axis=0) - np.log(quiet).mean(axis=0)
    return {
        "p95": float(np.expm1(np.quantile(difference, 0.95))),
        "median": float(np.expm1(np.median(difference))),
        "tau": float(kendalltau(*pair).statistic),
        "bias": float(np.expm1(np.median(bias))),
    }


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=measure_once.__doc__)
    parser.add_argument("networks", type=Path)
    parser.add_argument("out", type=Path)
    arguments = parser.parse_args()
    measure_once(arguments.networks, arguments.out)
