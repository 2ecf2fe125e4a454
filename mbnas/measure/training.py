"""Brief training of one candidate: the whole recipe, to be read in one sitting."""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn import functional as F

from mbnas.errors import BuildError
from mbnas.measure.images import ImageTensors, LabelledImages, Normalisation
from mbnas.measure.recipe import Recipe
from mbnas.model import Network, build
from mbnas.network import Architecture, costs

EVALUATION_BATCH = 512
NO_MEMORY = "DefaultCPUAllocator"
"""What names the CPU's lack of memory in torch's error, which has no type of its own."""
MACS_PER_THREAD = 5e8
"""Work in one step's forward pass that keeps a CPU thread busy. Below it, threads spend their time
waiting for each other: digits-sized networks train several times slower on two busy cores than
on one."""


class NonFiniteLossError(BuildError):
    """The loss became infinite or not a number: these weights are lost."""


class OutOfMemoryError(BuildError):
    """The training device has not enough memory for this network at this batch size."""


@dataclass(frozen=True, slots=True)
class Epoch:
    """What one epoch brought.

    Attributes:
        epoch: Counted from 1.
        loss: Mean training loss.
        accuracy: Fraction of the validation part that is classified correctly.
        seconds: Time since training began.
    """

    epoch: int
    loss: float
    accuracy: float
    seconds: float


@dataclass(frozen=True, slots=True)
class Training:
    """A finished training.

    Attributes:
        curve: One entry an epoch.
        weights: State dict as arrays, by the module's names; empty for a fake.
    """

    curve: tuple[Epoch, ...]
    weights: Mapping[str, NDArray[Any]]

    @property
    def accuracy(self) -> float:
        """Validation accuracy after the last epoch, where the learning rate has come to rest."""
        return self.curve[-1].accuracy


class Trainer(Protocol):
    """Trains architectures on some data by some recipe."""

    @property
    def uses_cores(self) -> bool:
        """Whether training keeps this machine's cores busy, so that nothing can be timed there."""
        ...

    def train(
        self, architecture: Architecture, seed: int, on_epoch: Callable[[Epoch], None]
    ) -> Training:
        """Trains one network; `on_epoch` hears of every epoch as it ends.

        Raises:
            NonFiniteLossError: the loss is no number any more.
            OutOfMemoryError: the device's memory does not suffice.
        """
        ...

    def estimate_seconds(self, architecture: Architecture) -> float:
        """About how long `train` would take, from a few steps."""
        ...


class TorchTrainer:
    """Trains on this machine with PyTorch.

    Args:
        train: Training part, images uint8 (N, 3, R, R) at the largest allowed resolution.
        validation: Validation part.
        classes: Number of classes.
        recipe: How to train.
        flip: Whether a mirrored image is still of its class.
        crop: Whether a shifted image is still of its class.
        device: `cpu`, `cuda`, `cuda:1`; None takes a GPU where there is one.

    Raises:
        BuildError: the device is not there, or has no room for the images.
    """

    def __init__(
        self,
        train: LabelledImages,
        validation: LabelledImages,
        classes: int,
        recipe: Recipe,
        *,
        flip: bool,
        crop: bool,
        device: str | None = None,
    ) -> None:
        self.device = choose_device(device)
        self.recipe = recipe
        self.normalisation = Normalisation.of(train.images)
        self._classes = classes
        self._flip = flip and recipe.flip
        self._crop = crop and recipe.crop
        with self._memory_errors():
            self._train = ImageTensors(train, self.normalisation, self.device)
            self._validation = ImageTensors(validation, self.normalisation, self.device)

    @property
    def uses_cores(self) -> bool:
        """Whether it trains on the CPU."""
        return self.device.type == "cpu"

    def train(
        self, architecture: Architecture, seed: int, on_epoch: Callable[[Epoch], None]
    ) -> Training:
        """Trains one network from fresh weights; the same seed gives the same result on a CPU.

        Raises:
            NonFiniteLossError: the loss is no number any more.
            OutOfMemoryError: the device's memory does not suffice.
        """
        with (
            self._memory_errors(),
            self._threads_for(architecture),
            self._own_generator(seed),
        ):
            return self._run(architecture, seed, on_epoch)

    def estimate_seconds(self, architecture: Architecture) -> float:
        """About how long `train` would take, from three steps and one evaluated batch."""
        size = self.recipe.batch_size_for(len(self._train))
        with (
            self._memory_errors(),
            self._threads_for(architecture),
            self._own_generator(0),
        ):
            network, optimizer = self._prepare(architecture)
            draws = torch.Generator()
            images, labels = next(self._batches(architecture.resolution, size, draws))
            self._step(network, optimizer, images, labels).item()  # pays for set-up
            start = time.perf_counter()
            for _ in range(3):
                self._step(network, optimizer, images, labels).item()
            step = (time.perf_counter() - start) / 3
        evaluation = step / 3 * len(self._validation) / size  # no backward pass
        return self.recipe.epochs * (step * (len(self._train) // size) + evaluation)

    @contextlib.contextmanager
    def _own_generator(self, seed: int) -> Iterator[None]:
        """Weights and dropout draw from torch's generators; the caller's are left as they were."""
        devices = [self.device] if self.device.type == "cuda" else []
        with torch.random.fork_rng(devices=devices):
            torch.manual_seed(seed)
            yield

    @contextlib.contextmanager
    def _memory_errors(self) -> Iterator[None]:
        """Tells a lack of memory, on whatever device, from other errors."""
        try:
            yield
        except RuntimeError as error:
            if not isinstance(error, torch.OutOfMemoryError) and NO_MEMORY not in str(error):
                raise
            reason = str(error).partition("\n")[0]
            raise OutOfMemoryError(f"training on {self.device}: {reason}") from None

    @contextlib.contextmanager
    def _threads_for(self, architecture: Architecture) -> Iterator[None]:
        """As many threads as a step of this network can feed; the same on every run."""
        before = torch.get_num_threads()
        size = self.recipe.batch_size_for(len(self._train))
        step_macs = size * costs(architecture.lower()).macs
        torch.set_num_threads(max(1, min(before, round(step_macs / MACS_PER_THREAD))))
        try:
            yield
        finally:
            torch.set_num_threads(before)

    def _run(
        self, architecture: Architecture, seed: int, on_epoch: Callable[[Epoch], None]
    ) -> Training:
        start = time.perf_counter()
        network, optimizer = self._prepare(architecture)
        draws = torch.Generator().manual_seed(seed)
        size = self.recipe.batch_size_for(len(self._train))
        per_epoch = len(self._train) // size
        steps = self.recipe.epochs * per_epoch
        curve: list[Epoch] = []
        for epoch in range(1, self.recipe.epochs + 1):
            network.train()
            total = torch.zeros((), device=self.device)  # summed there: no waiting inside an epoch
            batches = self._batches(architecture.resolution, size, draws)
            for at, (images, labels) in enumerate(batches, start=(epoch - 1) * per_epoch):
                for group in optimizer.param_groups:
                    group["lr"] = self.recipe.rate_at(at, steps, size)
                total += self._step(network, optimizer, images, labels)
            loss = float(total) / per_epoch
            if not math.isfinite(loss):
                raise NonFiniteLossError(f"epoch {epoch}: the training loss is {loss}")
            accuracy = self._accuracy(network, architecture.resolution)
            curve.append(Epoch(epoch, loss, accuracy, time.perf_counter() - start))
            on_epoch(curve[-1])
        return Training(tuple(curve), state_arrays(network))

    def _batches(
        self, resolution: int, size: int, draws: torch.Generator
    ) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        """One epoch of the training part."""
        return self._train.shuffled(resolution, size, draws, flip=self._flip, crop=self._crop)

    def _prepare(self, architecture: Architecture) -> tuple[Network, torch.optim.Optimizer]:
        """Fresh weights, drawn on the CPU so that a seed means the same on every device."""
        network = build(architecture, self._classes)
        network = network.to(self.device).to(memory_format=torch.channels_last)
        decayed = [p for p in network.parameters() if p.ndim > 1]
        free = [p for p in network.parameters() if p.ndim <= 1]
        groups = [
            {"params": decayed, "weight_decay": self.recipe.weight_decay},
            {"params": free, "weight_decay": 0.0},
        ]
        optimizer = torch.optim.SGD(
            groups, lr=0.0, momentum=self.recipe.momentum, nesterov=self.recipe.momentum > 0
        )
        return network, optimizer

    def _step(
        self,
        network: nn.Module,
        optimizer: torch.optim.Optimizer,
        images: torch.Tensor,
        labels: torch.Tensor,
    ) -> torch.Tensor:
        """One step of the optimiser; the loss, still on the device."""
        with self._autocast():
            logits = network(images)
            loss = F.cross_entropy(logits, labels, label_smoothing=self.recipe.label_smoothing)
        optimizer.zero_grad(set_to_none=True)
        torch.autograd.backward(loss)
        optimizer.step()
        return loss.detach()

    @torch.inference_mode()
    def _accuracy(self, network: nn.Module, resolution: int) -> float:
        network.eval()
        right = torch.zeros((), dtype=torch.int64, device=self.device)
        for images, labels in self._validation.batches(resolution, EVALUATION_BATCH):
            # In float32, as the exported file computes.
            right += (network(images).argmax(1) == labels).sum()
        return int(right) / len(self._validation)

    def _autocast(self) -> torch.autocast:
        return torch.autocast(
            self.device.type, dtype=torch.bfloat16, enabled=self.device.type == "cuda"
        )


def choose_device(name: str | None) -> torch.device:
    """The named device, or a GPU where there is one, else the CPU.

    Raises:
        BuildError: the named device is not there.
    """
    if name is None:
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:
        reason = str(error).partition("\n")[0]
        raise BuildError(f'device "{name}": not to be had here ({reason}); try cpu') from None
    return device


def state_arrays(network: nn.Module) -> dict[str, NDArray[Any]]:
    """A module's state dict as arrays on the host, without counters."""
    return {
        name: np.ascontiguousarray(value.detach().float().cpu().numpy())
        for name, value in network.state_dict().items()
        if value.is_floating_point()
    }
