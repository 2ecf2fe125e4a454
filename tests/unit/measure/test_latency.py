"""The statistics of a latency, and what stands around a measurement."""

from __future__ import annotations

import os
import platform
import threading

import numpy as np
import pytest
from helpers import some_architectures, tiny_space

from mbnas.errors import MeasureError
from mbnas.measure.host import pinned, this_host, usable_cores
from mbnas.measure.latency import _machine_lock, open_session, summarise, time_files
from mbnas.measure.onnx_file import to_onnx


def test_estimate_is_a_low_quantile_with_its_interval() -> None:
    times = np.random.default_rng(0).permutation(np.linspace(1, 2, 1001))
    latency = summarise(times, threads=1, held=True)
    assert latency.latency_ms == pytest.approx(1.2, abs=0.01)
    assert latency.low_ms < 1.2 < latency.high_ms
    assert (latency.p50_ms, latency.p90_ms) == pytest.approx((1.5, 1.9), abs=0.01)
    assert latency.samples == 1001


def test_interval_covers_the_true_quantile_about_as_often_as_it_says() -> None:
    rng = np.random.default_rng(1)
    true = 1 - np.log(0.8)  # the 20 % quantile of 1 + an exponential
    covered = 0
    for _ in range(400):
        latency = summarise(1 + rng.exponential(size=200), threads=1, held=True)
        covered += latency.low_ms <= true <= latency.high_ms
    assert 0.92 <= covered / 400 <= 0.99


def test_disturbed_runs_do_not_move_the_estimate() -> None:
    rng = np.random.default_rng(2)
    quiet = 1 + 0.001 * rng.random(500)
    disturbed = np.where(rng.random(500) < 0.3, quiet * 5, quiet)
    assert summarise(disturbed, 1, held=True).latency_ms == pytest.approx(1.0, abs=0.002)
    assert not summarise(disturbed, 1, held=True).noisy


def test_noisy_is_said_of_a_wide_interval_and_of_drift() -> None:
    rng = np.random.default_rng(3)
    assert summarise(rng.uniform(1, 3, 20), 1, held=True).noisy
    drifting = np.concatenate([np.full(100, 1.0), np.full(100, 1.3)])
    assert summarise(drifting + 1e-4 * rng.random(200), 1, held=True).noisy
    assert not summarise(1 + 1e-3 * rng.random(200), 1, held=True).noisy


@pytest.mark.skipif(platform.system() != "Linux", reason="threads cannot be held elsewhere")
def test_pinned_holds_one_core_and_lets_go() -> None:
    before = usable_cores()
    with pinned(1) as held:
        assert held
        assert len(os.sched_getaffinity(0)) == 1
    assert usable_cores() == before
    with pinned(10_000) as held:
        assert not held


def test_measurements_wait_for_each_other() -> None:
    content = to_onnx(some_architectures(tiny_space(), 1)[0].lower(10))
    done = threading.Event()

    def measure() -> None:
        time_files([content], seconds=0.01)
        done.set()

    with _machine_lock():
        other = threading.Thread(target=measure)
        other.start()
        assert not done.wait(0.3)
    assert done.wait(30)
    other.join()


def test_a_damaged_file_is_a_measure_error() -> None:
    with pytest.raises(MeasureError, match="cannot load"):
        open_session(b"not a network")


def test_host_is_said() -> None:
    host = this_host(threads=2)
    assert host.threads == 2
    assert host.cores >= 1
    assert host.cpu
    assert host.onnxruntime.count(".") == 2
