"""One network's training, epoch by epoch, which can be laid down after any of them."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from mbnas.model import AnyNetwork, build_seeded
from mbnas.training.augmentation import Augmentation
from mbnas.training.device import turn
from mbnas.training.images import ImageTensors
from mbnas.training.recipe import Recipe
from mbnas.training.steps import Steps
from mbnas.training.trainer import Epoch, NonFiniteLossError, Weights, no_step

EVALUATION_PIXELS = {"cpu": 512 * 32**2, "cuda": 1024 * 32**2}
"""Of images evaluated at once: more on a GPU, where handing over takes longer than the work."""
EVALUATED_IN_BATCHES = 4
"""Of training, at most: a step keeps all its maps, and evaluation three of them at a time."""


class TrainingRun:
    """A training in progress.

    Args:
        architecture: The network.
        seed: Of everything that is drawn.
        train: Training part.
        validation: Validation part.
        classes: Number of classes.
        recipe: How to train; its precision is settled.
        augmentation: What is done to training images.
        start: Weights of another network, taken over where name and shape agree.
    """

    def __init__(
        self,
        architecture: AnyNetwork,
        seed: int,
        *,
        train: ImageTensors,
        validation: ImageTensors,
        classes: int,
        recipe: Recipe,
        augmentation: Augmentation,
        start: Weights | None = None,
    ) -> None:
        self.curve: list[Epoch] = []
        self._device = train.labels.device
        self._turn = turn(self._device)
        self._resolution = architecture.resolution
        self._validation = validation
        self._classes = classes
        size = recipe.batch_size_for(len(train))
        steps = recipe.epochs * (len(train) // size)
        self._draws = torch.Generator().manual_seed(seed)
        # Drawn on the CPU, so that a seed means the same on every device.
        network: nn.Module = build_seeded(architecture, classes, seed)
        if start is not None:
            take_over(network, start)
        with self._turn:
            self.network = network.to(self._device).to(memory_format=torch.channels_last)
            self.steps = Steps(
                self.network,
                train,
                architecture.resolution,
                rates=[recipe.rate_at(step, steps, size) for step in range(steps)],
                size=size,
                recipe=recipe,
                augmentation=augmentation,
                seed=seed,
            )
            self._members = torch.bincount(validation.labels, minlength=classes)

    def epoch(self, on_step: Callable[[], None] = no_step) -> Epoch:
        """One more epoch; `on_step` is called before each of its steps and batches evaluated.

        What that call takes, for others may have the cores meanwhile, is no time of training.

        Raises:
            NonFiniteLossError: the loss is no number any more.
        """
        number = len(self.curve) + 1
        before = self.curve[-1].seconds if self.curve else 0.0
        start = time.perf_counter()

        def give_way() -> None:
            nonlocal start
            since = time.perf_counter()
            on_step()
            start += time.perf_counter() - since

        self.network.train()
        with self._turn:
            self.steps.begin_epoch(number, self._draws)
        for _ in range(self.steps.an_epoch):
            give_way()
            self.steps.advance()
        with self._turn:
            right, loss_there = self._right(give_way), self.steps.epoch_loss()
        loss = float(loss_there)  # the first word from the device since the epoch began
        if not math.isfinite(loss):
            raise NonFiniteLossError(f"epoch {number}: the training loss is {loss}")
        counts, members = right.cpu().double(), self._members.cpu().double()
        accuracy = float(counts.sum() / members.sum())
        there = members > 0
        balanced = float((counts[there] / members[there]).mean())
        seconds = before + time.perf_counter() - start
        self.curve.append(Epoch(number, loss, accuracy, balanced, seconds))
        return self.curve[-1]

    def state(self) -> dict[str, Any]:
        """Everything that the next epochs depend on, as tensors and plain values."""
        with self._turn:
            return {
                "curve": [
                    [e.epoch, e.loss, e.accuracy, e.balanced_accuracy, e.seconds]
                    for e in self.curve
                ],
                "network": _copied(self.network.state_dict()),
                "optimizer": _copied(self.steps.optimizer.state_dict()),
                "averages": _copied(self.steps.averages),
                "draws": self._draws.get_state(),
                "dropout": self.steps.dropout.get_state(),
            }

    def take_up(self, state: dict[str, Any]) -> None:
        """Goes on from what `state` gave."""
        with self._turn:
            self.curve = [Epoch(*values) for values in state["curve"]]
            self.network.load_state_dict(state["network"])
            self.steps.take_up(state["optimizer"], state["averages"])
            self._draws.set_state(state["draws"])
            self.steps.dropout.set_state(state["dropout"])

    def weights(self) -> dict[str, NDArray[Any]]:
        """What was learned, as arrays on the host, without counters."""
        with self._turn, self.steps.averaged():
            return state_arrays(self.network)

    @torch.inference_mode()
    def _right(self, on_step: Callable[[], None]) -> Tensor:
        """How many images of each class are classified correctly, on the device.

        In float32, as the exported file computes.
        """
        self.network.eval()
        right = torch.zeros(self._classes, dtype=torch.int64, device=self._device)
        with self.steps.averaged():
            fitting = EVALUATION_PIXELS[self._device.type] // max(32, self._resolution) ** 2
            most = EVALUATED_IN_BATCHES * self.steps.size
            size = max(1, self.steps.size // 2, min(fitting, most))
            for images, labels in self._validation.batches(self._resolution, size):
                on_step()
                hit = self.steps.forward(images).argmax(1) == labels
                right.index_add_(0, labels, hit.long())
        return right


def state_arrays(network: nn.Module) -> dict[str, NDArray[Any]]:
    """A module's state dict as arrays on the host, without counters."""
    return {
        name: np.array(value.detach().float().cpu().numpy(), order="C")
        for name, value in network.state_dict().items()
        if value.is_floating_point()
    }


def take_over(network: nn.Module, start: Weights) -> int:
    """Copies the weights that agree in name and shape; how many numbers these are."""
    own = network.state_dict()
    taken = 0
    for name, value in start.items():
        if name in own and own[name].shape == value.shape:
            own[name].copy_(torch.from_numpy(np.asarray(value)))
            taken += value.size
    return taken


def _copied(value: Any) -> Any:
    """Tensors on the host that later steps do not change."""
    match value:
        case Tensor():
            return value.detach().to("cpu", copy=True)
        case dict():
            return {key: _copied(item) for key, item in value.items()}
        case list() | tuple():
            return type(value)(_copied(item) for item in value)
        case _:
            return value
