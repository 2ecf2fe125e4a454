"""What a driver and an engine say to each other."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from mbnas.measure.latency import Latency
from mbnas.network import Architecture
from mbnas.training.trainer import Assignment, Epoch, Training


@dataclass(frozen=True, slots=True)
class Measure:
    """Measure the latency of a trial's network."""

    trial: int
    architecture: Architecture


@dataclass(frozen=True, slots=True)
class Train:
    """Train a trial's network, to a rung or to the end."""

    trial: int
    assignment: Assignment


Job = Measure | Train


@dataclass(frozen=True, slots=True)
class Measured:
    """A latency, and the seconds that measuring took."""

    trial: int
    latency: Latency
    seconds: float


@dataclass(frozen=True, slots=True)
class Trained:
    """A network trained to its end, or to the rung that the job named.

    Attributes:
        trial: The trial's number.
        training: The whole curve, and at the end the weights.
        model: The ONNX file with these weights, held equal to the module; None before the end and
            from a fake.
        seconds: Time that this job took.
    """

    trial: int
    training: Training
    model: bytes | None
    seconds: float


@dataclass(frozen=True, slots=True)
class Failed:
    """A trial that cannot be finished, for a reason that does not stop the search."""

    trial: int
    reason: str
    seconds: float

    @classmethod
    def of(cls, trial: int, error: Exception, seconds: float) -> Failed:
        """With an error as the reason."""
        return cls(trial, f"{type(error).__name__}: {error}", seconds)


Outcome = Measured | Trained | Failed


class Engine(Protocol):
    """Evaluates candidates somewhere. The driver alone decides what and tells what came of it."""

    @property
    def capacity(self) -> int:
        """How many jobs it can work on at once."""
        ...

    def submit(self, job: Job) -> None:
        """Takes a job; returns at once."""
        ...

    def wait(self, on_epoch: Callable[[int, Epoch], None]) -> Outcome:
        """The next outcome; meanwhile `on_epoch` hears, by trial, of epochs that end.

        Called only while a submitted job is unfinished.
        """
        ...

    def close(self) -> None:
        """Gives back what it holds; unfinished jobs are lost."""
        ...
