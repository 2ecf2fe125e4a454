"""Timing itself, and what stands around it: pace, cores, memory, the host."""

from __future__ import annotations

import os
import platform
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers import some_architectures, tiny_space

from mbnas.errors import MeasureError
from mbnas.measure import cores
from mbnas.measure.cores import CoreLock, core_groups, kind_of_cores, pinning, usable_cores
from mbnas.measure.host import Host, this_host
from mbnas.measure.latency import OrtLatencyMeter
from mbnas.measure.memory import recall_pace, remember_pace
from mbnas.measure.onnx_file import to_onnx
from mbnas.measure.pace import Pace
from mbnas.measure.session import noise_for, open_session
from mbnas.measure.timing import Timer, Timing


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


def test_the_reference_of_long_ago_does_not_speak_for_now(
    monkeypatch: pytest.MonkeyPatch, network: bytes
) -> None:
    timer = Timer(threads=1)

    def timed() -> Timing:
        return timer.time([network], seconds=60, enough=lambda bursts, _: len(bursts) >= 7)[0]

    first, second = timed(), timed()
    assert second.lately == first.alongside + second.alongside
    monkeypatch.setattr("mbnas.measure.timing.LATELY_SECONDS", 0.0)
    third = timed()
    assert third.lately == third.alongside
    assert timer.reference_bursts == second.lately + third.alongside


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
    monkeypatch.setattr(cores, "_DEVICES", tmp_path)
    monkeypatch.setattr(cores, "_TOPOLOGY", str(tmp_path / "{core}"))
    monkeypatch.setattr(cores, "usable_cores", lambda: list(range(6)))
    assert core_groups(1)[:3] == [[2], [1], [0]]
    assert core_groups(3)[0] == [2, 1, 0]
    assert core_groups(9) == [[2, 1, 0, 5, 4, 3]]


@pytest.fixture
def devices(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Files of the system on ten cores, of which none has hyperthreads."""
    monkeypatch.setattr(cores, "_DEVICES", tmp_path)
    monkeypatch.setattr(cores, "_TOPOLOGY", str(tmp_path / "{core}"))
    monkeypatch.setattr(cores, "usable_cores", lambda: list(range(10)))
    return tmp_path


def intel_hybrid(devices: Path) -> None:
    """Two fast cores with two hyperthreads each, and six slow cores."""
    for name, numbers in (("cpu_core", "0-3"), ("cpu_atom", "4-9")):
        (devices / name).mkdir()
        (devices / name / "cpus").write_text(f"{numbers}\n")
    for core in range(4):
        (devices / f"{core}").write_text("0-1" if core < 2 else "2-3")


def arm(devices: Path, *capacities: int) -> None:
    for core, capacity in enumerate(capacities):
        folder = devices / "system/cpu" / f"cpu{core}"
        folder.mkdir(parents=True)
        (folder / "cpu_capacity").write_text(f"{capacity}\n")


def test_of_unlike_cores_the_fast_ones_are_timed_on(
    devices: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert core_groups(1)[0] == [9]
    assert kind_of_cores(1) is None
    intel_hybrid(devices)
    assert core_groups(1) == [[2], [0], [3], [1]]
    assert core_groups(3) == [[2, 0, 3]]
    assert kind_of_cores(3) == "fast cores"
    assert core_groups(6) == [[2, 0, 3, 1, 9, 8]]
    assert kind_of_cores(6) == "fast and slow cores"
    monkeypatch.setattr(cores, "usable_cores", lambda: [3, 8, 9])
    assert core_groups(1) == [[3]]
    monkeypatch.setattr(cores, "usable_cores", lambda: [7, 8, 9])
    assert core_groups(1) == [[9], [8], [7]]
    assert kind_of_cores(1) == "slow cores"


def test_capacities_tell_fast_cores_unless_they_are_nearly_alike(devices: Path) -> None:
    arm(devices, 250, 250, 250, 250, 444, 444, 444, 990, 1024, 1000)
    assert core_groups(1) == [[9], [8], [7]]
    assert core_groups(4)[0] == [8, 9, 7, 6]
    assert kind_of_cores(1) == "fast cores"


def test_nearly_alike_cores_are_all_timed_on(devices: Path) -> None:
    arm(devices, *range(1000, 1010))
    assert core_groups(1) == [[core] for core in range(9, -1, -1)]
    assert kind_of_cores(1) is None


def test_a_host_is_another_one_on_other_cores_only_where_cores_differ(
    devices: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = Host("AMD EPYC", 2, 1, "1.23.0", None, "Linux x86_64")
    assert plain.fingerprint == "ca621bb879c3"  # studies and calibrations hang on it
    # What was learnt before cores were told apart may be of slow ones, and is another host's too.
    untold = this_host()
    intel_hybrid(devices)
    fast = this_host()
    monkeypatch.setattr(cores, "usable_cores", lambda: [7, 8, 9])
    slow = this_host()
    assert fast == replace(untold, cpu=f"{untold.cpu} (fast cores)")
    assert slow == replace(untold, cpu=f"{untold.cpu} (slow cores)")
    assert len({one.fingerprint for one in (untold, fast, slow)}) == 3


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
    waited.clear()
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
    monkeypatch.setattr("mbnas.measure.latency.BETTER", 0.0)  # no luckier moment is remembered
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
    [
        {"threads": 0},
        {"threads": 10**30},
        {"threads": 1.5},
        {"threads": "2"},
        {"threads": True},
        {"seconds": 0.0},
        {"seconds": float("inf")},
        {"seconds": "1"},
    ],
    ids=str,
)
def test_settings_that_cannot_be_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(MeasureError, match=rf"^{next(iter(wrong))} = .+: must be a "):
        OrtLatencyMeter(**wrong)


def test_threads_of_numpy_are_those_of_python() -> None:
    given: Any = np.int64(2)
    meter = OrtLatencyMeter(threads=given)
    assert type(meter.threads) is int
    assert meter.__reduce__() == OrtLatencyMeter(threads=2).__reduce__()


def test_host_is_said() -> None:
    host = this_host(threads=2)
    assert host.threads == 2
    assert host.cores >= 1
    assert host.cpu
    assert host.onnxruntime.count(".") == 2
    assert host.fingerprint == this_host(threads=2).fingerprint != this_host(threads=1).fingerprint
