"""The engine that works in this process, one job after another."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from contextlib import nullcontext
from typing import NamedTuple

import numpy as np

from mbnas.engine.jobs import Failed, Job, Measure, Measured, Outcome, Train, Trained
from mbnas.errors import MeasureError
from mbnas.measure.cores import CoreLock
from mbnas.measure.latency import LatencyMeter
from mbnas.measure.onnx_file import to_onnx
from mbnas.measure.parity import ParityError, check_parity
from mbnas.measure.training import Epoch, NonFiniteLossError, OutOfMemoryError, Trainer

PARITY_IMAGES = 4


class _TrialFailures(NamedTuple):
    """What may go wrong with one network and not with the search. All else stops the search."""

    out_of_memory: type[Exception] = OutOfMemoryError
    host_out_of_memory: type[Exception] = MemoryError
    non_finite_loss: type[Exception] = NonFiniteLossError
    not_measurable: type[Exception] = MeasureError
    parity: type[Exception] = ParityError


TRIAL_FAILURES = _TrialFailures()


class LocalEngine:
    """Measures and trains in this process.

    Args:
        trainer: Trains networks.
        meter: Measures latencies.
        classes: Number of classes of the data.
    """

    def __init__(self, trainer: Trainer, meter: LatencyMeter, classes: int) -> None:
        self._trainer = trainer
        self._meter = meter
        self._classes = classes
        self._cores = CoreLock()
        self._jobs: deque[Job] = deque()

    @property
    def capacity(self) -> int:
        """One: two at once would disturb each other's latency."""
        return 1

    def submit(self, job: Job) -> None:
        """Puts a job in the queue; `wait` does it."""
        self._jobs.append(job)

    def wait(self, on_epoch: Callable[[int, Epoch], None]) -> Outcome:
        """Does the oldest job."""
        job = self._jobs.popleft()
        start = time.perf_counter()
        try:
            match job:
                case Measure():
                    (latency,) = self._meter.measure([job.architecture], self._classes)
                    return Measured(job.trial, latency, time.perf_counter() - start)
                case Train():
                    return self._train(job, on_epoch, start)
        except TRIAL_FAILURES as error:
            reason = f"{type(error).__name__}: {error}"
            return Failed(job.trial, reason, time.perf_counter() - start)

    def _train(self, job: Train, on_epoch: Callable[[int, Epoch], None], start: float) -> Trained:
        busy = self._cores.shared() if self._trainer.uses_cores else nullcontext(_nothing)
        with busy as pause:

            def epoch_ended(epoch: Epoch) -> None:
                on_epoch(job.trial, epoch)
                pause()  # whoever waits to measure on these cores comes in between

            training = self._trainer.train(job.architecture, job.seed, epoch_ended)
        model = None
        if training.weights:
            model = to_onnx(job.architecture.lower(self._classes), training.weights)
            size = job.architecture.resolution
            noise = np.random.default_rng(job.seed).standard_normal(
                (PARITY_IMAGES, 3, size, size), np.float32
            )
            check_parity(job.architecture, training.weights, model, noise)
        return Trained(job.trial, training, model, time.perf_counter() - start)


def _nothing() -> None:
    """What a training that needs no cores does between its epochs."""
