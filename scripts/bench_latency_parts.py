"""How cheap a latency is, how well it is predicted, and whether limits hold."""

from __future__ import annotations

import random
import tempfile
import time
import warnings
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from bench_latency_common import CLASSES, SPACE, say, spread
from scipy.stats import kendalltau

import mbnas
from mbnas.measure.calibration import calibrate
from mbnas.measure.latency import OrtLatencyMeter
from mbnas.measure.session import open_session
from mbnas.network import Architecture
from mbnas.testing import FakeTrainer


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
