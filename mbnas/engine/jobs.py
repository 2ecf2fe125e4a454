"""What a driver and an engine say to each other."""

from __future__ import annotations

import traceback
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, Protocol

from mbnas.measure.latency import Latency
from mbnas.network import Architecture
from mbnas.training.trainer import Assignment, Epoch, Training

FailureKind = Literal[
    "out of memory", "non-finite", "timeout", "latency", "export", "parity", "data", "lost worker"
]
"""What goes wrong with one network and not with the search.

latency: it cannot be timed. export: no ONNX file can be made of it. parity: the file does not
compute what the module does. lost worker: the process or host that evaluated it died, twice.
"""
LOG_LINES = 40


@dataclass(frozen=True, slots=True)
class Measure:
    """Measure the latency of a trial's network."""

    trial: int
    architecture: Architecture


@dataclass(frozen=True, slots=True)
class Train:
    """Train a trial's network, to a rung or to the end.

    Attributes:
        trial: The trial's number.
        assignment: What to train.
        seconds: Time after which it is given up as failed; None gives it all it needs.
    """

    trial: int
    assignment: Assignment
    seconds: float | None = None


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
    """A trial that cannot be finished, for a reason that does not stop the search.

    Attributes:
        trial: The trial's number.
        kind: What went wrong.
        reason: In words.
        seconds: Time spent on this job.
        log: The last lines that were written about it: a traceback, or what a process printed.
    """

    trial: int
    kind: FailureKind
    reason: str
    seconds: float
    log: str = ""

    @classmethod
    def of(cls, trial: int, kind: FailureKind, error: Exception, seconds: float) -> Failed:
        """With an error as the reason, and its traceback as the log."""
        lines = "".join(traceback.format_exception(error)).splitlines()
        return cls(trial, kind, str(error), seconds, "\n".join(lines[-LOG_LINES:]))


@dataclass(frozen=True, slots=True)
class LaidDown:
    """A job that a halted engine gave up; a checkpoint holds what was trained."""

    trial: int


Outcome = Measured | Trained | Failed | LaidDown


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
        """The outcome of a job that has ended, of whichever is first; each comes once.

        Called only while a submitted job is unfinished.

        Args:
            on_epoch: Hears meanwhile, by trial, of epochs that end; each is in the checkpoint
                before it is heard of.
        """
        ...

    def halt(self) -> None:
        """Lays down what it works on, at the end of an epoch or a measurement, for good.

        `wait` still gives an outcome for each job: `LaidDown`, of most. May be called in
        `on_epoch` too.
        """
        ...

    def close(self) -> None:
        """Gives back what it holds; unfinished jobs are lost, but for their checkpoints."""
        ...
