"""Timing itself, and what stands around it: pace, cores, memory, the host."""

from __future__ import annotations

import os
import platform
import threading
from pathlib import Path

import numpy as np
import pytest
from helpers import some_architectures, tiny_space

from mbnas.errors import MeasureError
from mbnas.measure import cores
from mbnas.measure.cores import CoreLock, core_groups, pinning, usable_cores
from mbnas.measure.host import this_host
from mbnas.measure.latency import OrtLatencyMeter
from mbnas.measure.memory import recall_pace, remember_pace
from mbnas.measure.onnx_file import to_onnx
from mbnas.measure.pace import Pace
from mbnas.measure.session import noise_for, open_session
from mbnas.measure.timing import Timer


@pytest.fixture
def network() -> bytes:
    return to_onnx(some_architectures(tiny_space(), 1)[0].lower(10))


def test_bursts_of_runs_with_the_reference_alongside(network: bytes) -> None:
    timer = Timer(threads=1)
    first, second = timer.time([network, network], seconds=0.05)
    for timing in (first, second):
        assert len(timing.bursts) >= 5
        assert timing.alongside
        for burst in timing.bursts:
            assert len(burst.cpu_ms) == len(burst.wall_ms) >= 1
            assert all(
                0 < cpu <= wall for cpu, wall in zip(burst.cpu_ms, burst.wall_ms, strict=True)
            )
            assert burst.slowdown > 0
    assert usable_cores() == sorted(set(usable_cores()))


def test_timing_ends_early_when_told_that_it_is_enough(network: bytes) -> None:
    timer = Timer(threads=1)
    (timing,) = timer.time([network], seconds=60, enough=lambda bursts, _: len(bursts) >= 7)
    assert len(timing.bursts) == 7


def test_pace_is_told_against_its_best() -> None:
    times = iter([0, 0, 0, 0, 5, 10, 20, 25, 40, 45, 55, 60, 80, 85, 100])
    now = 0

    def clock() -> int:
        nonlocal now
        now += next(times)
        return now

    pace = Pace(1, clock, best_ms=10e-6)  # 10 ns
    assert pace.best_ms == pytest.approx(10e-6)
    slowdowns = [pace.slowdown() for _ in range(2)]
    assert all(slowdown > 1 for slowdown in slowdowns)


def test_the_best_pace_is_not_one_lucky_run() -> None:
    spans = iter([100, 100, *[100, 100] * 3, 100, 1, *[100, 50] * 2])
    state = {"now": 0, "started": False}

    def clock() -> int:
        if state["started"]:
            state["now"] += next(spans)
        state["started"] = not state["started"]
        return int(state["now"])

    pace = Pace(1, clock, None)
    for _ in range(4):
        pace.slowdown()
    assert pace.best_ms == pytest.approx(100e-6)  # the run of 1 ns stood alone
    pace.slowdown()
    pace.slowdown()
    assert pace.best_ms == pytest.approx(50e-6)


@pytest.mark.skipif(platform.system() != "Linux", reason="threads cannot be held elsewhere")
def test_pinning_holds_and_lets_go() -> None:
    before = usable_cores()
    with pinning() as hold:
        assert hold(before[:1])
        assert len(os.sched_getaffinity(0)) == 1
        assert not hold([100_000])
    assert usable_cores() == before


def test_core_groups_put_hyperthreads_last(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for core, siblings in enumerate(["0,4", "1,5", "2-3", "2-3", "0,4", "1,5"]):
        (tmp_path / f"{core}").write_text(siblings)
    monkeypatch.setattr(cores, "_TOPOLOGY", str(tmp_path / "{core}"))
    monkeypatch.setattr(cores, "usable_cores", lambda: list(range(6)))
    assert core_groups(1)[:3] == [[2], [1], [0]]
    assert core_groups(3)[0] == [2, 1, 0]
    assert core_groups(9) == [[2, 1, 0, 5, 4, 3]]


def test_measurements_wait_for_each_other_and_for_a_training(tmp_path: Path) -> None:
    done = threading.Event()
    waited = threading.Event()

    def measure() -> None:
        with CoreLock(tmp_path, waited.set).alone():
            done.set()

    with CoreLock(tmp_path).alone():
        other = threading.Thread(target=measure)
        other.start()
        assert not done.wait(0.2)
    assert done.wait(30)
    other.join()
    done.clear()
    with CoreLock(tmp_path).shared() as pause:
        other = threading.Thread(target=measure)
        other.start()
        assert waited.wait(30)  # it says that it waits
        assert not done.is_set()
        pause()  # between epochs the measurement comes first
        assert done.is_set()
    other.join()


def test_trainings_share_the_cores_and_a_measurement_waits_for_all(tmp_path: Path) -> None:
    measured = threading.Event()

    def measure() -> None:
        with CoreLock(tmp_path).alone():
            measured.set()

    other = threading.Thread(target=measure)
    with CoreLock(tmp_path).shared() as pause:
        with CoreLock(tmp_path).shared():
            pause()  # comes back beside the other
            other.start()
            assert not measured.wait(0.2)
        assert not measured.wait(0.2)
    assert measured.wait(30)
    other.join()


def test_the_pace_of_a_host_is_remembered(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("MBNAS_CACHE", str(tmp_path / "cache"))
    assert recall_pace("this") is None
    remember_pace("this", 0.08, 2.5)
    remember_pace("other", 0.1, 3.0)
    known = recall_pace("this")
    assert known is not None
    assert (known.pace_ms, known.reference_ms) == (0.08, 2.5)
    (tmp_path / "cache" / "pace.json").write_text("{damaged")
    assert recall_pace("this") is None
    monkeypatch.setenv("MBNAS_CACHE", "/proc/no/such/place")
    remember_pace("this", 0.08, 2.5)  # a cache: nothing is lost


def test_a_machine_is_learnt_once(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, network: bytes
) -> None:
    monkeypatch.setenv("MBNAS_CACHE", str(tmp_path))
    monkeypatch.setattr("mbnas.measure.latency.LEARNING_SECONDS", 0.5)
    (first,) = OrtLatencyMeter(seconds=0.05).measure_files([network])
    known = recall_pace(this_host().fingerprint)
    if known is None:
        pytest.skip("this machine had no undisturbed moment")
    assert first.reference_ms == known.reference_ms
    (second,) = OrtLatencyMeter(seconds=0.05).measure_files([network])
    assert second.reference_ms == known.reference_ms


def test_a_damaged_file_is_a_measure_error() -> None:
    with pytest.raises(MeasureError, match="cannot load"):
        open_session(b"not a network")


def test_noise_fits_the_input(network: bytes) -> None:
    (values,) = noise_for(open_session(network)).values()
    assert values.shape[:2] == (1, 3)
    assert values.dtype == np.float32


@pytest.mark.parametrize(
    "wrong",
    [{"threads": 0}, {"threads": 10**30}, {"seconds": 0.0}, {"seconds": float("inf")}],
)
def test_settings_that_cannot_be_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(MeasureError, match=next(iter(wrong))):
        OrtLatencyMeter(**wrong)  # type: ignore[arg-type]


def test_host_is_said() -> None:
    host = this_host(threads=2)
    assert host.threads == 2
    assert host.cores >= 1
    assert host.cpu
    assert host.onnxruntime.count(".") == 2
    assert host.fingerprint == this_host(threads=2).fingerprint != this_host(threads=1).fingerprint
