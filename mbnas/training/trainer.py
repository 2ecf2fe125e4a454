"""What a trainer is asked, and what it answers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from numpy.typing import NDArray

from mbnas.errors import BuildError
from mbnas.model import AnyNetwork

Weights = Mapping[str, NDArray[Any]]
"""State dict as arrays, by the module's names."""


class NonFiniteLossError(BuildError):
    """The loss became infinite or not a number: these weights are lost."""


class OutOfMemoryError(BuildError):
    """The training device has not enough memory for this network at this batch size."""


class OutOfTimeError(BuildError):
    """The training took longer than it was given."""


@dataclass(frozen=True, slots=True)
class Epoch:
    """What one epoch brought.

    Attributes:
        epoch: Counted from 1.
        loss: Mean training loss.
        accuracy: Fraction of the validation part that is classified correctly.
        balanced_accuracy: Mean over the classes of the fraction that is classified correctly, in
            which a rare class counts as much as a frequent one.
        seconds: Time spent on training so far.
    """

    epoch: int
    loss: float
    accuracy: float
    balanced_accuracy: float
    seconds: float


@dataclass(frozen=True, slots=True)
class Training:
    """A training, finished or laid down at a rung.

    Attributes:
        curve: One entry an epoch.
        weights: What was learned; empty where it is laid down, and from a fake.
        finished: Whether it has come to its end.
    """

    curve: tuple[Epoch, ...]
    weights: Weights
    finished: bool = True

    @property
    def accuracy(self) -> float:
        """Validation accuracy after the last epoch, where the learning rate has come to rest."""
        return self.curve[-1].accuracy


@dataclass(frozen=True, slots=True)
class Assignment:
    """One network to be trained, or a stretch of its training.

    Attributes:
        architecture: The network; one that is no architecture is trained all the same.
        seed: Of fresh weights, the order of images, and everything else that is drawn.
        until: The epoch after which it is laid down; None trains to the end.
        checkpoint: A file that the training is taken up from where it is there, and that each
            epoch but the last one of all leaves. One of another assignment, or a damaged one, is
            passed over. None keeps nothing.
        start: Weights of another network; those that agree in name and shape are taken over.
    """

    architecture: AnyNetwork
    seed: int
    until: int | None = None
    checkpoint: Path | None = None
    start: Weights | None = None


def no_step() -> None:
    """What happens between steps if nothing else is asked for."""


class Trainer(Protocol):
    """Trains architectures on some data by some recipe; may be called from several threads."""

    @property
    def epochs(self) -> int:
        """Epochs of a whole training."""
        ...

    @property
    def uses_cores(self) -> bool:
        """Whether training keeps this machine's cores busy, so that nothing can be timed there."""
        ...

    def train(
        self,
        assignment: Assignment,
        on_epoch: Callable[[Epoch], None],
        on_step: Callable[[], None] = no_step,
    ) -> Training:
        """Trains one network.

        However often it is laid down and taken up again, the result is the same, on a CPU to the
        last bit. What a callback raises ends the training, whose last checkpoint stays.

        Args:
            assignment: What to train.
            on_epoch: Hears of every epoch as it ends.
            on_step: Called before every step of a training that uses the cores, and before every
                batch that it evaluates; may wait.

        Raises:
            NonFiniteLossError: the loss is no number any more.
            OutOfMemoryError: the device's memory does not suffice.
        """
        ...

    def estimate_seconds(self, architecture: AnyNetwork) -> float:
        """About how long a whole training would take, from a few steps."""
        ...

    @property
    def memory(self) -> Callable[[AnyNetwork], float]:
        """Tells the share of the device's free memory that training a network takes.

        What it gives may be kept, or sent to another process, without the images.
        """
        ...
