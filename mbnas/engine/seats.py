"""The workers' seats: who works where, on what, and until when it is believed to be at work."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from mbnas.engine.jobs import Job, Measure, Train
from mbnas.engine.places import Place
from mbnas.engine.room import fits
from mbnas.engine.worker import Worker

GRACE_SECONDS = 30.0
"""A training that is out of time says so itself, at a step on a CPU and at an epoch's end on a GPU;
one that has not said so after this is ended."""
STARTING_SECONDS = 600.0
"""Time for a process to start, which imports much and may put the images on a GPU."""
MEASURING_SECONDS = 600.0
"""Time for a measurement once it has the cores; what takes longer hangs."""


@dataclass(frozen=True, slots=True)
class Task:
    """A job, and what it has been through.

    Attributes:
        job: What is to be done.
        share: Of the device's memory; what takes the whole has the device to itself.
        lost: Whether a worker has died of it already.
        not_begun: Whether one has died before it could begin it.
    """

    job: Job
    share: float = 0.0
    lost: bool = False
    not_begun: bool = False


@dataclass(slots=True)
class Seat:
    """A place of the machine, the worker there, and what it does.

    Attributes:
        place: What the worker has of the machine.
        worker: The process; None until there is something to do.
        task: What it works on; None while it is free.
        phase: How far it is with that.
        began: When it was sent, and then when it began, by `time.monotonic`; waits left out.
    """

    place: Place
    worker: Worker | None = None
    task: Task | None = None
    phase: Literal["starting", "working", "waiting"] = "starting"
    began: float = 0.0

    @property
    def patience_seconds(self) -> float:
        """Time that it has for what it does now."""
        match self.phase, None if self.task is None else self.task.job:
            case "starting", _:
                return STARTING_SECONDS
            case "working", Measure():
                return MEASURING_SECONDS
            case "working", Train(seconds=float(given)):
                return given + GRACE_SECONDS
            case _:
                return math.inf

    @property
    def hangs_from(self) -> float:
        """The moment from which it is taken to hang, by `time.monotonic`."""
        return self.began + self.patience_seconds

    def has_room(self, share: float, seats: Sequence[Seat]) -> bool:
        """Whether it is free, and its device has a share of its memory left beside all seats."""
        if self.task is not None:
            return False
        beside = [one.task for one in seats if one.place.device == self.place.device and one.task]
        return fits(share, [task.share for task in beside])

    def clear(self) -> None:
        """Ends the worker; the next task gets another one."""
        if self.worker is not None:
            self.worker.kill()
        self.worker = self.task = None
