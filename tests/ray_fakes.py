"""A meter and a trainer for tests on Ray, and what these tests wait for."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from helpers import some_architectures, tiny_space

from mbnas.engine.on_ray import RayEngine
from mbnas.errors import MeasureError
from mbnas.measure.latency import Latency
from mbnas.network import Architecture
from mbnas.testing import FakeLatencyMeter, FakeTrainer
from mbnas.training.trainer import Assignment, Epoch, Training, no_step

if os.environ.get("CI"):
    import ray
else:
    ray = pytest.importorskip("ray", reason="Ray is not installed")

import ray.cluster_utils

# Workers cannot import this module: its fakes are sent whole.
ray.cloudpickle.register_pickle_by_value(sys.modules[__name__])

Opened = Callable[..., RayEngine]


def network(seed: int = 0) -> Architecture:
    (found,) = some_architectures(tiny_space(), 1, seed)
    return found


class Broken(FakeLatencyMeter):
    """Times nothing."""

    def measure(self, architectures: Sequence[Architecture], classes: int) -> list[Latency]:
        raise MeasureError("cannot run")


class Held(FakeTrainer):
    """Notes in a folder who trains what; after its first epoch, waits for a file `go`."""

    def __init__(self, folder: Path, epochs: int = 3) -> None:
        super().__init__(epochs)
        self.folder = folder

    def train(
        self,
        assignment: Assignment,
        on_epoch: Callable[[Epoch], None],
        on_step: Callable[[], None] = no_step,
    ) -> Training:
        (self.folder / f"{os.getpid()}.pid").touch()

        def heard(epoch: Epoch) -> None:
            on_epoch(epoch)
            while epoch.epoch == 1 and not (self.folder / "go").exists():
                on_step()
                time.sleep(0.01)

        return super().train(assignment, heard, on_step)

    def trainers(self) -> list[int]:
        return [int(file.stem) for file in self.folder.glob("*.pid")]
