"""Training given networks with given seeds, so that a kill costs one epoch at most.

What an audit and the confirming of a front have in common.
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel, ConfigDict, model_validator
from safetensors.numpy import save as save_tensors

from mbnas.analysis.records import read_file
from mbnas.engine import (
    Engine,
    Failed,
    FailureKind,
    LaidDown,
    Measured,
    Outcome,
    Train,
    Trained,
)
from mbnas.errors import StudyError
from mbnas.files import write_atomically
from mbnas.model import AnyNetwork
from mbnas.training.trainer import Assignment, Epoch, Weights

PASSING: tuple[FailureKind, ...] = ("out of memory", "timeout", "lost worker")
"""Failures that lie with the machine as it was, not with the network alone."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """One training that is wanted: a network and a seed."""

    architecture: AnyNetwork
    seed: int

    @property
    def name(self) -> str:
        """Of its files."""
        return f"{self.architecture.id}-{self.seed}"


class Done(BaseModel):
    """A training that has come to its end.

    Attributes:
        id: The network's.
        seed: The training's.
        curve: One entry an epoch; empty where it failed.
        seconds: Time spent on training, before a break too.
        failure: Why it failed; None where it did not.
        kind: Of that failure; files of older versions have none.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: str
    seed: int
    curve: tuple[Epoch, ...]
    seconds: float
    failure: str | None = None
    kind: FailureKind | None = None

    @property
    def may_pass(self) -> bool:
        """Whether it failed in a way that another try may not."""
        return self.kind in PASSING

    @model_validator(mode="after")
    def _check_curve(self) -> Done:
        if not self.curve and self.failure is None:
            raise ValueError("curve is empty, and no failure says why")
        return self


class Trainings:
    """The trainings of some networks with some seeds, kept in a folder.

    Args:
        folder: Holds a JSON file for every training that has ended, and a checkpoint for every
            one that was broken off.
        keep_weights: Whether it is to hold what was learned too.
    """

    def __init__(self, folder: Path, *, keep_weights: bool = False) -> None:
        self._folder = folder
        self._keep_weights = keep_weights

    def missing(self, wanted: Sequence[Wanted]) -> list[Wanted]:
        """Those that are not done yet, or failed in a way that another try may not."""
        return [one for one in wanted if not self.has_ended(one) or self._read(one).may_pass]

    def has_ended(self, wanted: Wanted) -> bool:
        """Whether it is on record what came of one, be it a failure that may pass."""
        return self._file(wanted).exists()

    def begun(self) -> set[str]:
        """Ids of the networks of which a training has ended, or left a checkpoint."""
        files = [file for file in self._folder.glob("*-*") if file.suffix in (".json", ".pt")]
        return {file.stem.rpartition("-")[0] for file in files}

    def weights_file(self, wanted: Wanted) -> Path:
        """Where the weights of a training are, if they are kept and it did not fail."""
        return self._folder / f"{wanted.name}.safetensors"

    def done(self, wanted: Sequence[Wanted]) -> list[Done]:
        """What came of those that have all ended.

        Raises:
            StudyError: the folder cannot be read.
        """
        return [self._read(one) for one in wanted]

    def run(
        self,
        wanted: Sequence[Wanted],
        engine: Engine,
        on_epoch: Callable[[Wanted, Epoch], None] = lambda _, __: None,
        on_done: Callable[[Wanted, Done], None] = lambda _, __: None,
    ) -> list[Done]:
        """Does what is not done yet.

        Args:
            wanted: What to train.
            engine: Trains.
            on_epoch: Hears of every epoch that ends.
            on_done: Hears of every training that ends now.

        Returns:
            All of them, in the order in which they are wanted.

        Raises:
            StudyError: the folder cannot be read or written.
        """
        missing = self.missing(wanted)
        for one in set(wanted).difference(missing):
            self._drop_checkpoint(one)  # a kill may have come before that
        waiting = deque(enumerate(missing))
        running = 0
        while waiting or running:
            while waiting and running < engine.capacity:
                at, one = waiting.popleft()
                engine.submit(Train(at, self._assignment(one)))
                running += 1
            outcome = engine.wait(lambda at, epoch: on_epoch(missing[at], epoch))
            running -= 1
            one = missing[outcome.trial]
            ended = _ended(one, outcome)
            if self._keep_weights and isinstance(outcome, Trained):
                self._write_weights(one, outcome.training.weights)
            self._write(one, ended)
            on_done(one, ended)
        return self.done(wanted)

    def _assignment(self, wanted: Wanted) -> Assignment:
        checkpoint = self._checkpoint(wanted)
        return Assignment(wanted.architecture, wanted.seed, checkpoint=checkpoint)

    def _checkpoint(self, wanted: Wanted) -> Path:
        return self._folder / f"{wanted.name}.pt"

    def _read(self, wanted: Wanted) -> Done:
        return read_file(Done, self._file(wanted), mend="delete it to train again")

    def _write(self, wanted: Wanted, done: Done) -> None:
        file = self._file(wanted)
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            write_atomically(file, json.dumps(done.model_dump(mode="json"), indent=1).encode())
        except OSError as error:
            raise StudyError(f"{file}: cannot be written ({error.strerror})") from None
        if not done.may_pass:  # else the next try goes on from there
            self._drop_checkpoint(wanted)

    def _drop_checkpoint(self, wanted: Wanted) -> None:
        file = self._checkpoint(wanted)
        try:
            file.unlink(missing_ok=True)
        except OSError as error:
            raise StudyError(f"{file}: cannot be removed ({error.strerror})") from None

    def _write_weights(self, wanted: Wanted, weights: Weights) -> None:
        file = self.weights_file(wanted)
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            write_atomically(file, save_tensors(dict(weights)))
        except OSError as error:
            raise StudyError(f"{file}: cannot be written ({error.strerror})") from None

    def _file(self, wanted: Wanted) -> Path:
        return self._folder / f"{wanted.name}.json"


def _ended(wanted: Wanted, outcome: Outcome) -> Done:
    name, seed = wanted.architecture.id, wanted.seed
    match outcome:
        case Trained():
            curve = outcome.training.curve
            return Done(id=name, seed=seed, curve=curve, seconds=curve[-1].seconds)
        case Failed():
            return Done(
                id=name,
                seed=seed,
                curve=(),
                seconds=outcome.seconds,
                failure=outcome.reason,
                kind=outcome.kind,
            )
        case Measured() | LaidDown():
            raise TypeError("nothing was to be measured or laid down")
