"""Public fakes of what is costly: a trainer, a latency meter and a test part.

All answer from the network alone, the same for all spellings of it, so that a whole search runs
in seconds and gives the same result every time.
"""

from __future__ import annotations

import hashlib
import math
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray

from mbnas.errors import BuildError
from mbnas.files import write_atomically
from mbnas.measure.latency import Latency
from mbnas.measure.onnx_file import ARCHITECTURE
from mbnas.model import AnyNetwork, ForeignNetwork
from mbnas.network import Architecture, costs
from mbnas.training.trainer import Assignment, Epoch, Training, Weights, no_step


class FakeTrainer:
    """Accuracy that grows with the network's MACs and saturates, with a network's own luck.

    Args:
        epochs: Length of every curve.
        seconds_per_epoch: Time that an epoch really takes.
        before: Called with each architecture before its first epoch; may raise what a real
            training may raise.
    """

    def __init__(
        self,
        epochs: int = 3,
        seconds_per_epoch: float = 0.0,
        before: Callable[[AnyNetwork], None] | None = None,
    ) -> None:
        self._epochs = epochs
        self.seconds_per_epoch = seconds_per_epoch
        self.before = before
        self.trained: list[str] = []

    @property
    def epochs(self) -> int:
        """Length of every curve."""
        return self._epochs

    @property
    def uses_cores(self) -> bool:
        """It computes nothing."""
        return False

    def train(
        self,
        assignment: Assignment,
        on_epoch: Callable[[Epoch], None],
        on_step: Callable[[], None] = no_step,
    ) -> Training:
        """A curve without weights; a checkpoint holds the number of the last epoch."""
        architecture, checkpoint = assignment.architecture, assignment.checkpoint
        done = _epochs_in(checkpoint, architecture)
        if not done and self.before is not None:
            self.before(architecture)
        for epoch in range(done + 1, min(self.epochs, assignment.until or self.epochs) + 1):
            on_step()
            time.sleep(self.seconds_per_epoch)
            done = epoch
            if checkpoint is not None and epoch < self.epochs:
                _keep(checkpoint, f"{architecture.id} {epoch}")
            on_epoch(self._epoch(architecture, epoch))
        if done == self.epochs:
            self.trained.append(architecture.id)
        curve = tuple(self._epoch(architecture, at) for at in range(1, done + 1))
        return Training(curve, {}, finished=done == self.epochs)

    def estimate_seconds(self, architecture: AnyNetwork) -> float:  # noqa: ARG002
        """What `train` will take."""
        return self.epochs * self.seconds_per_epoch

    def memory(self, architecture: AnyNetwork) -> float:  # noqa: ARG002
        """None."""
        return 0.0

    def _epoch(self, architecture: AnyNetwork, epoch: int) -> Epoch:
        final = fake_accuracy(architecture)
        accuracy = final if epoch == self.epochs else final * (1 - 0.5 ** (epoch + 2))
        return Epoch(epoch, 2.3 * (1 - accuracy), accuracy, accuracy, epoch * 1.0)


class FakeLatencyMeter:
    """Latency in proportion to MACs and depth, with a network's own luck."""

    def __init__(self, threads: int = 1) -> None:
        self._threads = threads
        self.measured: list[str] = []

    @property
    def threads(self) -> int:
        """Threads that a measured network would use."""
        return self._threads

    def measure(self, architectures: Sequence[Architecture], classes: int) -> list[Latency]:
        """Latencies in the order given."""
        self.measured += [architecture.id for architecture in architectures]
        return [self._latency(architecture, classes) for architecture in architectures]

    def measure_files(self, files: Sequence[bytes]) -> list[Latency]:
        """The same of files that hold their architecture; of others, by their size."""
        return [self._of(_file_latency_ms(content)) for content in files]

    def _latency(self, architecture: Architecture, classes: int) -> Latency:
        return self._of(fake_latency_ms(architecture, classes))

    def _of(self, latency_ms: float) -> Latency:
        return Latency(
            latency_ms=latency_ms,
            low_ms=latency_ms * 0.99,
            high_ms=latency_ms * 1.01,
            p50_ms=latency_ms * 1.02,
            p90_ms=latency_ms * 1.10,
            samples=100,
            runs=120,
            noisy=False,
            slowdown=1.0,
            reference_ms=1.0,
            threads=self._threads,
            pinned=False,
            host="fake",
        )


class FakeTester:
    """A test part on which networks are as good as `FakeTrainer` says, whatever their weights.

    Args:
        images: Of the part.
        classes: Dealt evenly among the images.
    """

    def __init__(self, images: int = 500, classes: int = 10) -> None:
        self.labels: NDArray[np.int64] = np.arange(images) % classes
        self.tested: list[str] = []

    def hits(self, network: AnyNetwork, weights: Weights) -> NDArray[np.bool_]:  # noqa: ARG002
        """Which images a network classifies rightly."""
        self.tested.append(network.id)
        drawn = np.random.default_rng(round(_luck(network, 2) * 2**32)).random(len(self.labels))
        return drawn < fake_accuracy(network)


def _keep(checkpoint: Path, text: str) -> None:
    try:
        checkpoint.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(checkpoint, text.encode())
    except OSError as error:
        raise BuildError(f"{checkpoint}: cannot be written ({error.strerror})") from None


def _epochs_in(checkpoint: Path | None, architecture: AnyNetwork) -> int:
    if checkpoint is None or not checkpoint.exists():
        return 0
    match checkpoint.read_text(errors="replace").split():
        case [identity, epochs] if identity == architecture.id and epochs.isdecimal():
            return int(epochs)
    return 0


def fake_accuracy(architecture: AnyNetwork) -> float:
    """The accuracy that `FakeTrainer` gives a network after its last epoch, in [0, 1]."""
    macs = (
        architecture.macs
        if isinstance(architecture, ForeignNetwork)
        else costs(architecture.lower()).macs
    )
    return 0.1 + 0.85 * (1 - math.exp(-math.log1p(macs / 1e5) / 2)) + 0.04 * _luck(architecture, 0)


def fake_latency_ms(architecture: Architecture, classes: int = 10) -> float:
    """The latency that `FakeLatencyMeter` gives a network, in milliseconds."""
    graph = architecture.lower(classes)
    steady = costs(graph).macs / 1e7 + 0.005 * len(graph.nodes)
    return steady * (0.9 + 0.2 * _luck(architecture, 1))


def _file_latency_ms(content: bytes) -> float:
    model = onnx.load_model_from_string(content)
    metadata = {entry.key: entry.value for entry in model.metadata_props}
    if ARCHITECTURE not in metadata:
        return len(content) / 1e6
    classes = model.graph.output[0].type.tensor_type.shape.dim[1].dim_value
    return fake_latency_ms(Architecture.from_json(metadata[ARCHITECTURE]), classes)


def _luck(architecture: AnyNetwork, salt: int) -> float:
    """A number in [0, 1) that belongs to the network."""
    digest = hashlib.sha256(f"{architecture.id} {salt}".encode()).digest()
    return int.from_bytes(digest[:4], "big") / 2**32
