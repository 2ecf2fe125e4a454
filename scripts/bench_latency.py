"""The latency figures: how well estimators repeat, how cheap measuring is, how well it predicts.

    .venv/bin/python scripts/bench_latency.py --out studies/published/latency
    .venv/bin/python scripts/bench_latency.py --short --parts repeat

Writes results.json and table.md. The load is a loop of 700×700 float32 matrix products in another
process, on one thread, held on one core. The whole takes about half an hour; nothing else should
run meanwhile but the load that is named.
"""

from __future__ import annotations

import argparse
import json
import os
import pickle
import random
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from scipy.stats import kendalltau

import mbnas
from mbnas.measure.calibration import calibrate
from mbnas.measure.cores import pinning, usable_cores
from mbnas.measure.host import this_host
from mbnas.measure.latency import OrtLatencyMeter
from mbnas.measure.session import noise_for, open_session
from mbnas.measure.timing import reference_file
from mbnas.network import Architecture
from mbnas.testing import FakeTrainer

SPACE = mbnas.load_space("cifar_mobile")
CLASSES = 10
RANGE_MS = (0.5, 10.0)
LOADS = ("quiet", "other core", "same core")


# ---------------------------------------------------------------- how well estimators repeat


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
                    command = [sys.executable, __file__, "--once", str(path), str(out)]
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


# ---------------------------------------------------------------- how cheap it is


def cheap(count: int) -> dict[str, Any]:
    """Time of graph, session and measurement; and of torch's exporter, its file timed beside."""
    rng = random.Random(1)
    some = [SPACE.architecture(SPACE.sample(rng)) for _ in range(count)]
    meter = OrtLatencyMeter()
    meter.measure(some[:1], CLASSES)
    graph, session, whole = [], [], []
    for architecture in some:
        start = time.perf_counter()
        content = mbnas.to_onnx(architecture.lower(CLASSES))
        written = time.perf_counter()
        open_session(content)
        graph.append(written - start)
        session.append(time.perf_counter() - written)
        start = time.perf_counter()
        meter.measure([architecture], CLASSES)
        whole.append(time.perf_counter() - start)
    exported, ratios = [], []
    for architecture in some[:8]:
        start = time.perf_counter()
        other = by_torch(architecture)
        exported.append(time.perf_counter() - start)
        ours, theirs = meter.measure_files([mbnas.to_onnx(architecture.lower(CLASSES)), other])
        ratios.append(ours.latency_ms / theirs.latency_ms)
    return {
        "networks": count,
        "graph_seconds": spread(graph),
        "session_seconds": spread(session),
        "graph_and_session_seconds": spread(np.add(graph, session)),
        "graph_session_and_measurement_seconds": spread(whole),
        "torch_older_exporter_seconds": spread(exported),
        "latency_over_that_of_torch_exporter": spread(ratios),
    }


def by_torch(architecture: Architecture) -> bytes:
    """The file that torch's older exporter writes of the built module."""
    size = architecture.resolution
    module = mbnas.build(architecture, CLASSES).eval()
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        path = Path(folder) / "network.onnx"
        images = torch.zeros(1, 3, size, size)
        torch.onnx.export(module, (images,), path, dynamo=False, opset_version=18)
        return path.read_bytes()


# ---------------------------------------------------------------- how well it predicts


def predict(count: int, seconds: float) -> dict[str, Any]:
    """Calibrates, then compares with networks drawn with another seed, each measured twice."""
    start = time.perf_counter()
    calibration = calibrate(SPACE, classes=CLASSES, seconds=seconds)
    spent = time.perf_counter() - start
    say(f"predict: calibrated in {spent:.0f} s")
    rng = random.Random(77)
    some = [SPACE.architecture(SPACE.sample(rng)) for _ in range(count)]
    meter = OrtLatencyMeter()
    twice = [
        [meter.measure([architecture], CLASSES)[0].latency_ms for architecture in some]
        for _ in range(2)
    ]
    measured = np.exp(np.log(twice).mean(axis=0))
    predicted = calibration.predictor().predict(some)
    errors = np.abs(predicted / measured - 1)
    floor = np.abs(np.array(twice[0]) / twice[1] - 1)
    return {
        "calibration_seconds": spent,
        "networks": count,
        "mean_error": float(errors.mean()),
        "within_10": float((errors <= 0.1).mean()),
        "largest_error": float(errors.max()),
        "tau": float(kendalltau(predicted, measured).statistic),
        "two_measurements_differ_mean": float(floor.mean()),
        "two_measurements_within_10": float((floor <= 0.1).mean()),
        "own_check": asdict(calibration.error()),
    }


# ---------------------------------------------------------------- limits that hold


def limits(trials: int) -> dict[str, Any]:
    """A search under a limit at the space's 30 % quantile, latencies real, trainings faked."""
    rng = random.Random(3)
    sample = [SPACE.architecture(SPACE.sample(rng)) for _ in range(40)]
    meter = OrtLatencyMeter()
    latencies = [meter.measure([architecture], CLASSES)[0].latency_ms for architecture in sample]
    limit = float(np.quantile(latencies, 0.3))
    trainer = FakeTrainer()
    with tempfile.TemporaryDirectory() as folder:
        search = mbnas.Search(
            SPACE,
            mbnas.load_data("digits"),
            study=Path(folder) / "study",
            objectives=[mbnas.maximize("accuracy"), mbnas.minimize("latency_ms", limit=limit)],
            trainer=trainer,
            meter=meter,
        )
        (found,) = search.feasibility()
        study = search.run(trials=trials)
    trained = set(trainer.trained)
    violators = [
        trial
        for trial in study.trials
        if trial.architecture.id in trained
        and (trial.latency is None or trial.latency.high_ms > limit)
    ]
    again = meter.measure([trial.architecture for trial in study.front], CLASSES)
    beyond = [
        one.latency_ms - limit - (one.high_ms - one.latency_ms)
        for one in again
        if one.latency_ms > limit
    ]
    return {
        "limit_ms": limit,
        "estimated_share": found.share,
        "trials": len(study.trials),
        "trained": len(trained),
        "epochs_on_violators": trainer.epochs * len(violators),
        "front": len(study.front),
        "front_above_the_limit_when_measured_again": len(beyond),
        "of_these_by_more_than_the_interval": sum(excess > 0 for excess in beyond),
    }


# ---------------------------------------------------------------- the run and its table


def spread(values: Any) -> dict[str, float]:
    """Median and quartiles."""
    quarter, median, three = np.quantile(values, [0.25, 0.5, 0.75])
    return {"median": float(median), "q25": float(quarter), "q75": float(three)}


def commit() -> str:
    """Which state of mbnas was measured."""
    git = ["git", "describe", "--always", "--dirty", "--exclude=*"]
    return subprocess.run(git, capture_output=True, text=True, check=True).stdout.strip()


def say(text: str) -> None:
    print(f"{time.strftime('%H:%M:%S')} {text}", flush=True)


def table(results: dict[str, Any]) -> str:
    """What was found, as Markdown."""
    host = results["host"]
    lines = [
        "# Latency: what was measured",
        "",
        f"{host['cpu']}, {host['cores']} cores, ONNX Runtime {host['onnxruntime']}, batch 1,"
        f" {host['threads']} thread. Made by `{results['command']}` on {results['date']}, at commit"
        f" {results['commit']}.",
        "",
    ]
    if "repeat" in results:
        lines += repeat_table(results["repeat"])
    for name in ("cheap", "predict", "limits"):
        if name in results:
            lines += [f"## {name}", "", "| quantity | value |", "|---|---|"]
            lines += [
                f"| {key.replace('_', ' ')} | {shown(value)} |"
                for key, value in results[name].items()
            ]
            lines.append("")
    return "\n".join(lines)


def repeat_table(found: dict[str, Any]) -> list[str]:
    lines = [
        "## repeat",
        "",
        "Two processes, the same networks of 0.5 to 10 ms: 95 % quantile (and median) of the"
        " relative difference, Kendall's τ, and the median bias against the quiet machine. All"
        " estimators had the same time for each network.",
        "",
        "| estimator | " + " | ".join(found) + " |",
        "|---|" + "---|" * len(found),
    ]
    for name in (OURS, *ESTIMATORS):
        cells = [found[load]["estimators"][name] for load in found]
        said = [
            f"{100 * c['p95']:.1f} % ({100 * c['median']:.1f} %), τ {c['tau']:.3f},"
            f" bias {100 * c['bias']:+.1f} %"
            for c in cells
        ]
        lines.append(f"| {name} | " + " | ".join(said) + " |")
    for key in found["quiet"]:
        if key != "estimators":
            cells = [shown(found[load][key]) for load in found]
            lines.append(f"| {key.replace('_', ' ')} | " + " | ".join(cells) + " |")
    return [*lines, ""]


def shown(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key} {shown(part)}" for key, part in value.items())
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--parts", nargs="+", default=["repeat", "cheap", "predict", "limits"])
    parser.add_argument(
        "--loads", nargs="+", choices=LOADS[1:], default=LOADS[1:], help="of part repeat"
    )
    parser.add_argument("--short", action="store_true", help="fewer networks, some minutes")
    parser.add_argument("--out", type=Path, help="folder for results.json and table.md")
    parser.add_argument("--once", nargs=2, type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.once:
        measure_once(*arguments.once)
        return
    short = arguments.short
    parts: dict[str, Callable[[], dict[str, Any]]] = {
        "repeat": lambda: repeat(12 if short else 80, ["quiet", *arguments.loads]),
        "cheap": lambda: cheap(10 if short else 50),
        "predict": lambda: predict(20 if short else 100, 30 if short else 150),
        "limits": lambda: limits(10 if short else 40),
    }
    results: dict[str, Any] = {
        "date": time.strftime("%Y-%m-%d"),
        "command": " ".join(["scripts/bench_latency.py", *sys.argv[1:]]),
        "commit": commit(),
        "host": asdict(this_host()),
    }
    for name in arguments.parts:
        results[name] = parts[name]()
        say(f"{name} done")
        if arguments.out:
            arguments.out.mkdir(parents=True, exist_ok=True)
            (arguments.out / "results.json").write_text(json.dumps(results, indent=1) + "\n")
            (arguments.out / "table.md").write_text(table(results))
    print(table(results))


if __name__ == "__main__":
    main()
