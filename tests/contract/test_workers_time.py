"""How long a worker may take for what: only what is its network's fault is laid to its network."""

from __future__ import annotations

import contextlib
import multiprocessing
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from engine_fakes import Deadly, ignore, mark, marks, wait_until
from helpers import some_architectures, tiny_space

import mbnas.engine.seats
import mbnas.engine.work
import mbnas.engine.workers
import mbnas.measure.cores
from mbnas.engine import Failed, Measure, Measured, Train, Trained, WorkersEngine
from mbnas.engine.work import SEATED_SECONDS, evaluate
from mbnas.measure.cores import CoreLock
from mbnas.measure.latency import Latency, LatencyMeter
from mbnas.network import Architecture
from mbnas.testing import FakeLatencyMeter, FakeTrainer
from mbnas.training.trainer import Assignment, Trainer

NETWORK, OTHER = some_architectures(tiny_space(), 2)


class UsesCores(FakeTrainer):
    """Takes a seat on the cores for every step."""

    @property
    def uses_cores(self) -> bool:
        return True


class StartsLate(FakeTrainer):
    """Is put into a process only when a file is there."""

    def __init__(self, go: Path) -> None:
        super().__init__()
        self.go = go

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        wait_until(self.go.exists)


class HangingMeter(FakeLatencyMeter):
    """Hangs the first `times` times."""

    def __init__(self, folder: Path, times: int) -> None:
        super().__init__()
        self.folder, self.times = folder, times

    def measure(self, architectures: Sequence[Architecture], classes: int) -> list[Latency]:
        hung = len(marks(self.folder, "hung"))
        if hung < self.times:
            mark(self.folder, "hung", hung)
            threading.Event().wait()
        return super().measure(architectures, classes)


class Cores:
    """This machine's cores, held by a thread as somebody who measures holds them."""

    def __init__(self) -> None:
        self._held, self._free = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._hold)
        self._thread.start()
        self._held.wait()

    def _hold(self) -> None:
        with CoreLock().alone():
            self._held.set()
            self._free.wait()

    def free(self) -> None:
        """Lets others have them."""
        self._free.set()
        self._thread.join()


class LeapingClock:
    """In place of the module `time`; leaps ahead when it is told to."""

    def __init__(self) -> None:
        self.ahead = 0.0

    def leap(self, seconds: float) -> None:
        self.ahead += seconds

    def monotonic(self) -> float:
        return time.monotonic() + self.ahead

    def perf_counter(self) -> float:
        return time.perf_counter() + self.ahead


def workers(trainer: Trainer, meter: LatencyMeter | None = None) -> WorkersEngine:
    return WorkersEngine(trainer, meter or FakeLatencyMeter(), classes=10, pack=1)


def test_waiting_for_the_cores_is_no_time_of_a_training(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mbnas.measure.cores, "PATIENCE_SECONDS", 0.5)
    cores, clock, waited = Cores(), LeapingClock(), list[float]()
    monkeypatch.setattr(mbnas.engine.work, "time", clock)

    def wait_long() -> None:
        clock.leap(100)
        cores.free()

    outcome = evaluate(
        Train(0, Assignment(NETWORK, 0), seconds=60),
        UsesCores(),
        FakeLatencyMeter(),
        10,
        on_epoch=ignore,
        on_wait=wait_long,
        on_waited=waited.append,
    )
    assert isinstance(outcome, Trained)
    assert waited[0] > 100


def test_many_short_waits_are_told_of_too(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, waited = LeapingClock(), list[float]()
    monkeypatch.setattr(mbnas.engine.work, "time", clock)

    def shared(_: CoreLock) -> contextlib.AbstractContextManager[Callable[[], None]]:
        return contextlib.nullcontext(lambda: clock.leap(1.5))

    monkeypatch.setattr(CoreLock, "shared", shared)
    outcome = evaluate(
        Train(0, Assignment(NETWORK, 0), seconds=60),
        UsesCores(epochs=100),
        FakeLatencyMeter(),
        10,
        on_epoch=lambda *_: clock.leap(2 * SEATED_SECONDS),
        on_wait=lambda: None,
        on_waited=waited.append,
    )
    assert isinstance(outcome, Trained)
    assert sum(waited) > 100


def test_a_worker_that_waits_for_the_cores_does_not_hang(monkeypatch: pytest.MonkeyPatch) -> None:
    patience = 5 * mbnas.measure.cores.PATIENCE_SECONDS
    # Of the driver: by the worker's own clock the training has time enough.
    monkeypatch.setattr(mbnas.engine.seats, "GRACE_SECONDS", patience - 60)
    cores = Cores()
    later = threading.Timer(1.2 * patience, cores.free)
    engine = WorkersEngine(UsesCores(), FakeLatencyMeter(), classes=10, pack=1, on_wait=later.start)
    try:
        engine.submit(Train(0, Assignment(NETWORK, 0), seconds=60))
        assert isinstance(engine.wait(ignore), Trained)
    finally:
        engine.close()
        cores.free()


def test_a_process_that_starts_slowly_is_no_networks_fault(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock, go = LeapingClock(), tmp_path / "go"
    monkeypatch.setattr(mbnas.engine.workers, "time", clock)

    def start() -> None:
        clock.leap(300)  # less than a start may take, more than this training
        go.touch()

    later = threading.Timer(1.0, start)
    engine = workers(StartsLate(go))
    try:
        engine.submit(Train(0, Assignment(NETWORK, 0), seconds=60))
        later.start()
        assert isinstance(engine.wait(ignore), Trained)
    finally:
        engine.close()


@pytest.mark.parametrize(("times", "outcome"), [(1, Measured), (2, Failed)])
def test_a_measurement_that_hangs_is_ended(
    times: int, outcome: type, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mbnas.engine.seats, "MEASURING_SECONDS", 5.0)
    engine = workers(FakeTrainer(), HangingMeter(tmp_path, times))
    try:
        engine.submit(Measure(0, NETWORK))
        found = engine.wait(ignore)
        assert isinstance(found, outcome)
        if isinstance(found, Failed):
            assert found.kind == "lost worker"
            assert found.reason == "its process said nothing for 5 s, for the second time"
        engine.submit(Measure(1, OTHER))
        assert isinstance(engine.wait(ignore), Measured)
    finally:
        engine.close()


def test_the_death_of_an_idle_worker_is_no_networks_fault(tmp_path: Path) -> None:
    mark(tmp_path, "death", 0)  # none yet
    engine = workers(Deadly(tmp_path, times=1))
    try:
        engine.submit(Train(0, Assignment(NETWORK, 0)))
        assert isinstance(engine.wait(ignore), Trained)
        (idle,) = multiprocessing.active_children()
        idle.kill()
        idle.join()
        (tmp_path / "death.0").unlink()
        engine.submit(Train(1, Assignment(OTHER, 0)))
        assert isinstance(engine.wait(ignore), Trained)
        assert marks(tmp_path, "death") == ["0"], "one worker died of it, which a network survives"
    finally:
        engine.close()
