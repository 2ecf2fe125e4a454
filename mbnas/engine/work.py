"""What every engine does with a job, wherever it does it."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import pickle
import signal
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import NoReturn

import numpy as np

from mbnas.engine.jobs import Failed, FailureKind, Job, Measure, Measured, Train, Trained
from mbnas.errors import DataError, ExportError, MeasureError
from mbnas.measure.cores import PATIENCE_SECONDS, CoreLock
from mbnas.measure.latency import LatencyMeter
from mbnas.measure.onnx_file import to_onnx
from mbnas.measure.parity import ParityError, check_parity
from mbnas.network import Architecture
from mbnas.training.trainer import (
    Assignment,
    Epoch,
    NonFiniteLossError,
    OutOfMemoryError,
    OutOfTimeError,
    Trainer,
    Training,
    no_step,
)

PARITY_IMAGES = 4
SEATED_SECONDS = 0.05
"""Between two looks for somebody who waits to measure; a look takes a tenth of a millisecond."""


class LostProcessError(MeasureError):
    """The process that measured a network died of it, twice."""


FAILURES: tuple[tuple[type[Exception], FailureKind], ...] = (
    (OutOfMemoryError, "out of memory"),
    (MemoryError, "out of memory"),
    (NonFiniteLossError, "non-finite"),
    (OutOfTimeError, "timeout"),
    (LostProcessError, "lost worker"),
    (MeasureError, "latency"),
    (ParityError, "parity"),
    (ExportError, "export"),
    (DataError, "data"),
)
"""What may go wrong with one network and not with the search. All else stops the search."""
TRIAL_FAILURES = tuple(error for error, _ in FAILURES)


def evaluate(
    job: Job,
    trainer: Trainer,
    meter: LatencyMeter,
    classes: int,
    *,
    on_epoch: Callable[[int, Epoch], None],
    on_wait: Callable[[], None],
    on_step: Callable[[], None] = no_step,
    on_waited: Callable[[float], None] = lambda _: None,
) -> Measured | Trained | Failed:
    """Does a job, here and now; what goes wrong with its network alone is an outcome too.

    Args:
        job: What to do.
        trainer: With what to train.
        meter: With what to measure.
        classes: Number of classes of the data.
        on_epoch: Hears, with the trial's number, of every epoch.
        on_wait: Called when somebody keeps a training from the cores for two seconds.
        on_step: Called before a training begins, and before its steps if it uses the cores.
        on_waited: Hears how long a training has waited: of long waits, and of short ones together.
    """
    start = time.perf_counter()
    try:
        if isinstance(job, Measure):
            (latency,) = meter.measure([job.architecture], classes)
            return Measured(job.trial, latency, time.perf_counter() - start)
        return train(
            job,
            trainer,
            classes,
            on_epoch=on_epoch,
            on_wait=on_wait,
            on_step=on_step,
            on_waited=on_waited,
        )
    except TRIAL_FAILURES as error:
        return failed(job, error, time.perf_counter() - start)


def failed(job: Job, error: Exception, seconds: float) -> Failed:
    """One of `TRIAL_FAILURES` as a job's outcome."""
    kind = next(kind for type_, kind in FAILURES if isinstance(error, type_))
    return Failed.of(job.trial, kind, error, seconds)


def train(
    job: Train,
    trainer: Trainer,
    classes: int,
    *,
    on_epoch: Callable[[int, Epoch], None],
    on_wait: Callable[[], None],
    on_step: Callable[[], None] = no_step,
    on_waited: Callable[[float], None] = lambda _: None,
) -> Trained:
    """Trains as a job says; at the end, writes the ONNX file and holds it equal to the module.

    A training that keeps the cores busy holds a seat on them, and gives way between its steps to
    whoever waits to measure.

    Args:
        job: What to train.
        trainer: With what.
        classes: Number of classes of the data.
        on_epoch: Hears, with the trial's number, of every epoch.
        on_wait: Called when somebody keeps this one from the cores for two seconds.
        on_step: Called before the training begins, and before its steps if it uses the cores.
        on_waited: Hears how many seconds it has waited, of long waits and of short ones together.
    """
    start = time.perf_counter()
    clock = _Clock(job.seconds, on_waited)

    def epoch_ended(epoch: Epoch) -> None:
        on_epoch(job.trial, epoch)
        clock.check()

    on_step()
    with contextlib.ExitStack() as held:
        pause = no_step
        if trainer.uses_cores:
            with clock.stopped():
                pause = held.enter_context(CoreLock(on_wait=on_wait).shared())
        seated = time.monotonic()

        def give_way() -> None:
            nonlocal seated
            on_step()
            clock.check()
            if time.monotonic() - seated > SEATED_SECONDS:
                with clock.stopped():
                    pause()
                seated = time.monotonic()

        training = trainer.train(job.assignment, epoch_ended, give_way)
        model = _model(job.assignment, training, classes)
    return Trained(job.trial, training, model, time.perf_counter() - start)


@dataclass(slots=True)
class _Clock:
    """The time that a training takes; what it waits for the cores is left out.

    Attributes:
        limit: Seconds that it may take; None for all it needs.
        on_waited: Hears of waits, once they come to two seconds.
    """

    limit: float | None
    on_waited: Callable[[float], None]
    _began: float = field(default_factory=time.perf_counter, init=False)
    _untold: float = field(default=0.0, init=False)

    def check(self) -> None:
        """Raises `OutOfTimeError` once the limit is passed."""
        if self.limit is not None and time.perf_counter() - self._began > self.limit:
            raise OutOfTimeError(f"not trained within {self.limit:g} s")

    @contextlib.contextmanager
    def stopped(self) -> Iterator[None]:
        """Inside, no time of training goes by."""
        since = time.perf_counter()
        yield
        waited = time.perf_counter() - since
        self._began += waited
        self._untold += waited
        if self._untold > PATIENCE_SECONDS:
            self.on_waited(self._untold)
            self._untold = 0.0


def _model(assignment: Assignment, training: Training, classes: int) -> bytes | None:
    """The file of an architecture with its weights, if there are any, once it agrees with it."""
    architecture = assignment.architecture
    if not training.weights or not isinstance(architecture, Architecture):
        return None
    model = to_onnx(architecture.lower(classes), training.weights)
    size = architecture.resolution
    noise = np.random.default_rng(assignment.seed).standard_normal(
        (PARITY_IMAGES, 3, size, size), np.float32
    )
    check_parity(architecture, training.weights, model, noise)
    return model


def sendable(error: Exception) -> Exception:
    """An error as it can be sent to another process, with what this one knows of its place."""
    said = f"in the process {multiprocessing.current_process().name}:\n{traceback.format_exc()}"
    error.add_note(said)
    try:
        pickle.loads(pickle.dumps(error))
    except Exception:  # noqa: BLE001 - an error may be made of anything
        return RuntimeError(said)
    return error


def end_at_once() -> NoReturn:
    """Ends this process, as a crash would, once its log has the error that is being handled."""
    traceback.print_exc()
    sys.stderr.flush()
    os._exit(1)


def how_ended(code: int | None) -> str:
    """Of a process, by its exit code."""
    if code is None or code >= 0:
        return f"its process ended with exit code {code}"
    name = signal.Signals(-code).name if -code in set(signal.Signals) else str(-code)
    guess = "; the system may have been out of memory" if name == "SIGKILL" else ""
    return f"its process was ended by {name}{guess}"
