"""What every engine does with a job, wherever it does it."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import numpy as np

from mbnas.engine.jobs import Train, Trained
from mbnas.errors import MeasureError
from mbnas.measure.cores import CoreLock
from mbnas.measure.onnx_file import to_onnx
from mbnas.measure.parity import ParityError, check_parity
from mbnas.training.trainer import (
    Assignment,
    Epoch,
    NonFiniteLossError,
    OutOfMemoryError,
    Trainer,
    Training,
    no_step,
)

PARITY_IMAGES = 4
SEATED_SECONDS = 0.05
"""Between two looks for somebody who waits to measure; a look takes a tenth of a millisecond."""


class _TrialFailures(NamedTuple):
    """What may go wrong with one network and not with the search. All else stops the search."""

    out_of_memory: type[Exception] = OutOfMemoryError
    host_out_of_memory: type[Exception] = MemoryError
    non_finite_loss: type[Exception] = NonFiniteLossError
    not_measurable: type[Exception] = MeasureError
    parity: type[Exception] = ParityError


TRIAL_FAILURES = _TrialFailures()


def train(
    job: Train,
    trainer: Trainer,
    classes: int,
    *,
    on_epoch: Callable[[int, Epoch], None],
    on_wait: Callable[[], None],
    on_step: Callable[[], None] = no_step,
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
    """
    start = time.perf_counter()
    on_step()
    seat = CoreLock(on_wait=on_wait).shared() if trainer.uses_cores else None
    with seat or contextlib.nullcontext(no_step) as pause:
        seated = time.monotonic()

        def give_way() -> None:
            nonlocal seated
            on_step()
            if time.monotonic() - seated > SEATED_SECONDS:
                pause()
                seated = time.monotonic()

        training = trainer.train(job.assignment, partial(on_epoch, job.trial), give_way)
        model = _model(job.assignment, training, classes)
    return Trained(job.trial, training, model, time.perf_counter() - start)


def _model(assignment: Assignment, training: Training, classes: int) -> bytes | None:
    """The file of a network with its weights, where there are any, once it agrees with it."""
    if not training.weights:
        return None
    architecture = assignment.architecture
    model = to_onnx(architecture.lower(classes), training.weights)
    size = architecture.resolution
    noise = np.random.default_rng(assignment.seed).standard_normal(
        (PARITY_IMAGES, 3, size, size), np.float32
    )
    check_parity(architecture, training.weights, model, noise)
    return model
