"""How long a worker may take for what: only what is its network's fault is laid to its network."""

from __future__ import annotations

import multiprocessing
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from engine_fakes import Deadly, ignore, mark, marks, wait_until
from helpers import some_architectures, tiny_space

import mbnas.engine.seats
import mbnas.engine.work
import mbnas.measure.cores
from mbnas.engine import Failed, Measure, Measured, Train, Trained, WorkersEngine
from mbnas.engine.work import evaluate
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


def workers(trainer: Trainer, meter: LatencyMeter | None = None) -> WorkersEngine:
    return WorkersEngine(trainer, meter or FakeLatencyMeter(), classes=10, pack=1)


def test_waiting_for_the_cores_is_no_time_of_a_training(monkeypatch: pytest.MonkeyPatch) -> None:
    for room in (mbnas.measure.cores, mbnas.engine.work):
        monkeypatch.setattr(room, "PATIENCE_SECONDS", 0.5)
    cores, waited = Cores(), list[float]()
    outcome = evaluate(
        Train(0, Assignment(NETWORK, 0), seconds=0.4),
        UsesCores(),
        FakeLatencyMeter(),
        10,
        on_epoch=ignore,
        on_wait=cores.free,
        on_waited=waited.append,
    )
    assert isinstance(outcome, Trained)
    (seconds,) = waited
    assert seconds > 0.4


def test_a_worker_that_waits_for_the_cores_does_not_hang(monkeypatch: pytest.MonkeyPatch) -> None:
    grace = 2 * mbnas.measure.cores.PATIENCE_SECONDS
    monkeypatch.setattr(mbnas.engine.seats, "GRACE_SECONDS", grace)
    cores = Cores()
    later = threading.Timer(2 * grace, cores.free)
    engine = WorkersEngine(UsesCores(), FakeLatencyMeter(), classes=10, pack=1, on_wait=later.start)
    try:
        engine.submit(Train(0, Assignment(NETWORK, 0), seconds=0.1))
        assert isinstance(engine.wait(ignore), Trained)
    finally:
        engine.close()
        cores.free()


def test_a_process_that_starts_slowly_is_no_networks_fault(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mbnas.engine.seats, "GRACE_SECONDS", 0.1)
    go = tmp_path / "go"
    later = threading.Timer(1.0, go.touch)
    engine = workers(StartsLate(go))
    try:
        engine.submit(Train(0, Assignment(NETWORK, 0), seconds=0.1))
        later.start()
        assert isinstance(engine.wait(ignore), Trained)
    finally:
        engine.close()


@pytest.mark.parametrize(("times", "outcome"), [(1, Measured), (2, Failed)])
def test_a_measurement_that_hangs_is_ended(
    times: int, outcome: type, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mbnas.engine.seats, "MEASURING_SECONDS", 0.5)
    engine = workers(FakeTrainer(), HangingMeter(tmp_path, times))
    try:
        engine.submit(Measure(0, NETWORK))
        found = engine.wait(ignore)
        assert isinstance(found, outcome)
        if isinstance(found, Failed):
            assert found.kind == "lost worker"
            assert found.reason == "its process said nothing for 0.5 s, for the second time"
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
