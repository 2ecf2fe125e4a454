"""Fakes for engines that send them to other processes: importable there, made of plain values."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mbnas.engine import Engine, LocalEngine, PackedEngine, WorkersEngine
from mbnas.measure.cores import CoreLock
from mbnas.measure.latency import Latency, LatencyMeter
from mbnas.model import AnyNetwork
from mbnas.network import Architecture
from mbnas.testing import FakeLatencyMeter, FakeTrainer
from mbnas.training.trainer import Assignment, Epoch, OutOfMemoryError, Trainer, Training, no_step

PATIENCE_SECONDS = 240.0


def wait_until(there: Callable[[], object]) -> None:
    """Waits for what another thread or process does."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not there():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.005)


def marks(folder: Path, kind: str) -> list[str]:
    """What `mark` left."""
    return sorted(file.name.partition(".")[2] for file in folder.glob(f"{kind}.*"))


def mark(folder: Path, kind: str, name: object) -> None:
    """Leaves a mark that other processes see."""
    (folder / f"{kind}.{name}").touch()


@contextlib.contextmanager
def inside(folder: Path, name: str) -> Iterator[None]:
    """Leaves a mark of who is being trained, as long as the context lasts."""
    mark(folder, "inside", name)
    try:
        yield
    finally:
        (folder / f"inside.{name}").unlink()


@dataclass(frozen=True)
class Raises:
    """Raises an error before any training."""

    error: Exception

    def __call__(self, architecture: Architecture) -> None:
        raise self.error


@dataclass(frozen=True)
class Meets:
    """Waits before a training until so many have begun, in whatever processes."""

    folder: Path
    count: int

    def __call__(self, architecture: Architecture) -> None:
        mark(self.folder, "begun", architecture.id)
        wait_until(lambda: len(marks(self.folder, "begun")) >= self.count)


@dataclass(frozen=True)
class Slow:
    """Keeps one network from being trained until a file is there."""

    network: str
    go: Path

    def __call__(self, architecture: Architecture) -> None:
        if architecture.id == self.network:
            wait_until(self.go.exists)


class BrokenMeter(FakeLatencyMeter):
    """Raises an error in place of measuring."""

    def __init__(self, error: Exception) -> None:
        super().__init__()
        self.error = error

    def measure(self, architectures: Sequence[Architecture], classes: int) -> list[Latency]:
        raise self.error


class Deadly(FakeTrainer):
    """Kills its own process after the first epoch, the first `times` times."""

    def __init__(self, folder: Path, times: int) -> None:
        super().__init__()
        self.folder, self.times = folder, times

    def train(
        self,
        assignment: Assignment,
        on_epoch: Callable[[Epoch], None],
        on_step: Callable[[], None] = no_step,
    ) -> Training:
        deaths = len(marks(self.folder, "death"))

        def heard(epoch: Epoch) -> None:
            on_epoch(epoch)
            if deaths < self.times:
                mark(self.folder, "death", deaths)
                sys.stderr.write("about to die\n")
                sys.stderr.flush()
                os.kill(os.getpid(), signal.SIGKILL)

        return super().train(assignment, heard, on_step)


class Hanging(FakeTrainer):
    """Hangs after its first epoch, and says so with a mark."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.folder = folder

    def train(
        self,
        assignment: Assignment,
        on_epoch: Callable[[Epoch], None],
        on_step: Callable[[], None] = no_step,
    ) -> Training:
        def heard(epoch: Epoch) -> None:
            on_epoch(epoch)
            mark(self.folder, "hanging", assignment.architecture.id)
            time.sleep(3600)

        return super().train(assignment, heard, on_step)


class Large(FakeTrainer):
    """Takes three tenths of the memory, and notes how many are trained at once."""

    def __init__(self, folder: Path) -> None:
        super().__init__(seconds_per_epoch=0.02)
        self.folder = folder

    def memory(self, architecture: AnyNetwork) -> float:
        return 0.3  # of which 0.8 may be used: two fit

    def train(
        self,
        assignment: Assignment,
        on_epoch: Callable[[Epoch], None],
        on_step: Callable[[], None] = no_step,
    ) -> Training:
        name = assignment.architecture.id
        with inside(self.folder, name):
            mark(self.folder, "begun", name)
            wait_until(lambda: len(marks(self.folder, "begun")) >= 2)
            mark(self.folder, "count", len(marks(self.folder, "inside")))
            return super().train(assignment, on_epoch, on_step)


class NeedsAll(FakeTrainer):
    """Takes the whole memory for one network."""

    def __init__(self, network: str) -> None:
        super().__init__()
        self.network = network

    def memory(self, architecture: AnyNetwork) -> float:
        return float(architecture.id == self.network)


class NoPlace(FakeTrainer):
    """Cannot be put into the first process that it is sent to."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.folder = folder

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        if not marks(self.folder, "refused"):
            mark(self.folder, "refused", 0)
            raise OutOfMemoryError("training on cuda: no room")


class NoRoom(FakeTrainer):
    """Has no room for one network the first time, and notes whether it is alone the second."""

    def __init__(self, folder: Path, network: str) -> None:
        super().__init__(seconds_per_epoch=0.02)
        self.folder, self.network = folder, network

    def train(
        self,
        assignment: Assignment,
        on_epoch: Callable[[Epoch], None],
        on_step: Callable[[], None] = no_step,
    ) -> Training:
        name = assignment.architecture.id
        if name == self.network and not marks(self.folder, "refused"):
            mark(self.folder, "refused", name)
            mark(self.folder, "refused_in", os.getpid())
            raise OutOfMemoryError("training on cuda: no room")
        with inside(self.folder, name):
            if name == self.network and marks(self.folder, "inside") == [name]:
                mark(self.folder, "alone", name)
                mark(self.folder, "alone_in", os.getpid())
            return super().train(assignment, on_epoch, on_step)


class OnCores(FakeTrainer):
    """Keeps the cores busy from step to step, and notes what is measured meanwhile."""

    def __init__(self, folder: Path) -> None:
        super().__init__(epochs=60, seconds_per_epoch=0.01)
        self.folder = folder

    @property
    def uses_cores(self) -> bool:
        return True

    def train(
        self,
        assignment: Assignment,
        on_epoch: Callable[[Epoch], None],
        on_step: Callable[[], None] = no_step,
    ) -> Training:
        step = self.folder / f"step.{os.getpid()}"

        def begin() -> None:
            on_step()
            step.touch()

        def end(epoch: Epoch) -> None:
            if marks(self.folder, "measuring"):
                mark(self.folder, "overlap", f"{step.name}-{epoch.epoch}")
            step.unlink()
            on_epoch(epoch)

        return super().train(assignment, end, begin)


class CoresMeter(FakeLatencyMeter):
    """Takes the cores for a moment, and notes what is trained meanwhile."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.folder = folder

    def measure(self, architectures: Sequence[Architecture], classes: int) -> list[Latency]:
        with CoreLock().alone():
            mark(self.folder, "measuring", os.getpid())
            time.sleep(0.03)
            if marks(self.folder, "step"):
                mark(self.folder, "overlap", time.time_ns())
            (self.folder / f"measuring.{os.getpid()}").unlink()
        return super().measure(architectures, classes)


def local(trainer: Trainer, meter: LatencyMeter) -> Engine:
    return LocalEngine(trainer, meter, classes=10)


def packed(trainer: Trainer, meter: LatencyMeter) -> Engine:
    return PackedEngine(trainer, meter, classes=10, pack=3)


def workers(trainer: Trainer, meter: LatencyMeter) -> Engine:
    return WorkersEngine(trainer, meter, classes=10, pack=2)


Make = Callable[[Trainer, LatencyMeter], Engine]


@contextlib.contextmanager
def opened(
    make: Make, trainer: Trainer | None = None, meter: LatencyMeter | None = None
) -> Iterator[Engine]:
    with contextlib.closing(make(trainer or FakeTrainer(), meter or FakeLatencyMeter())) as engine:
        yield engine


def ignore(trial: int, epoch: Epoch) -> None:
    """Hears nothing."""
