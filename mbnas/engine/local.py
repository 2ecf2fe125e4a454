"""The engine that works in this process, one job after another."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from contextlib import nullcontext
from typing import NamedTuple

import numpy as np

from mbnas.engine.beside import MeasuringProcess
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
    """Trains in this process; measures here too, or in a process beside it.

    Outcomes come in the same order on every run, whatever takes how long: trainings first, then
    measurements, each as submitted.

    Args:
        trainer: Trains networks.
        meter: Measures latencies, here where nothing else runs meanwhile, or beside.
        classes: Number of classes of the data.
        on_wait: Called when another mbnas keeps a training from the cores for two seconds.
    """

    def __init__(
        self,
        trainer: Trainer,
        meter: LatencyMeter | MeasuringProcess,
        classes: int,
        on_wait: Callable[[], None] = lambda: None,
    ) -> None:
        self._trainer = trainer
        self._meter = meter
        self._classes = classes
        self._cores = CoreLock(on_wait=on_wait)
        self._measurements: deque[Measure] = deque()
        self._trainings: deque[Train] = deque()

    @property
    def capacity(self) -> int:
        """One, or two where the next network is measured while one is trained."""
        return 2 if isinstance(self._meter, MeasuringProcess) else 1

    def submit(self, job: Job) -> None:
        """Puts a job in its queue; `wait` does it, but for measuring beside, which begins now."""
        if isinstance(job, Train):
            self._trainings.append(job)
            return
        self._measurements.append(job)
        if isinstance(self._meter, MeasuringProcess):
            self._meter.submit(job.architecture, self._classes)

    def wait(self, on_epoch: Callable[[int, Epoch], None]) -> Outcome:
        """Does the oldest training, or else the oldest measurement."""
        job: Job = self._trainings.popleft() if self._trainings else self._measurements.popleft()
        start = time.perf_counter()
        try:
            match job:
                case Measure():
                    return self._measure(job, start)
                case Train():
                    return self._train(job, on_epoch, start)
        except TRIAL_FAILURES as error:
            reason = f"{type(error).__name__}: {error}"
            return Failed(job.trial, reason, time.perf_counter() - start)

    def close(self) -> None:
        """Ends the process beside, if there is one."""
        if isinstance(self._meter, MeasuringProcess):
            self._meter.close()

    def _measure(self, job: Measure, start: float) -> Measured:
        if isinstance(self._meter, MeasuringProcess):
            return Measured(job.trial, *self._meter.result())
        (latency,) = self._meter.measure([job.architecture], self._classes)
        return Measured(job.trial, latency, time.perf_counter() - start)

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
