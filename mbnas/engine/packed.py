"""The engine that trains several networks at once in this process."""

from __future__ import annotations

import contextlib
import queue
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor

from mbnas.engine.beside import MeasuringProcess
from mbnas.engine.jobs import Failed, Job, Measure, Measured, Outcome, Train
from mbnas.engine.room import WHOLE, Room
from mbnas.engine.work import TRIAL_FAILURES, train
from mbnas.measure.latency import LatencyMeter
from mbnas.training.trainer import Epoch, OutOfMemoryError, Trainer

USABLE = 0.8
"""Share of the device's free memory that trainings fill by their own estimate."""


class PackedEngine:
    """Trains up to `pack` networks at once, each in a thread, on a GPU each in a stream.

    One network of a few million MACs leaves most of a large GPU idle. As many run together as the
    memory holds by the trainer's estimate; one that meets a lack of memory all the same is trained
    again alone, from its checkpoint on.

    Outcomes come in the order in which the jobs were submitted, so that what a search does next
    does not depend on what was quicker.

    Args:
        trainer: Trains networks, from several threads.
        meter: Measures latencies: here, between the steps of trainings that use the cores, or in
            a process beside.
        classes: Number of classes of the data.
        pack: Trainings at once.
        on_wait: Called when another mbnas keeps a training from the cores for two seconds.
    """

    def __init__(
        self,
        trainer: Trainer,
        meter: LatencyMeter | MeasuringProcess,
        classes: int,
        pack: int,
        on_wait: Callable[[], None] = lambda: None,
    ) -> None:
        self._trainer = trainer
        self._meter = meter
        self._classes = classes
        self._pack = pack
        self._on_wait = on_wait
        self._room = Room()
        self._trainings = ThreadPoolExecutor(pack, thread_name_prefix="mbnas-training")
        self._measurements = ThreadPoolExecutor(1, thread_name_prefix="mbnas-measuring")
        self._jobs: deque[Future[Outcome]] = deque()
        self._said: queue.SimpleQueue[tuple[int, Epoch] | None] = queue.SimpleQueue()
        self._closing = False
        self._measuring = False

    @property
    def capacity(self) -> int:
        """One more than are trained at once: the next is measured, or waits for a free place."""
        return self._pack + 1

    def submit(self, job: Job) -> None:
        """Begins a job, or lets it wait for a place."""
        match job:
            case Measure():
                future = self._measurements.submit(self._measure, job)
            case Train():
                future = self._trainings.submit(self._train, job)
        future.add_done_callback(lambda _: self._said.put(None))
        self._jobs.append(future)

    def wait(self, on_epoch: Callable[[int, Epoch], None]) -> Outcome:
        """The outcome of the oldest job; meanwhile `on_epoch` hears of all trainings."""
        oldest = self._jobs.popleft()
        while not (oldest.done() and self._said.empty()):
            said = self._said.get()
            if said is not None:
                on_epoch(*said)
        return oldest.result()

    def close(self) -> None:
        """Lays trainings down: at the next step on a CPU, at the end of their epoch on a GPU."""
        self._closing = True
        self._measurements.shutdown(wait=False, cancel_futures=True)
        self._trainings.shutdown(cancel_futures=True)
        if isinstance(self._meter, MeasuringProcess):
            self._meter.close()
        self._measurements.shutdown()

    def _measure(self, job: Measure) -> Outcome:
        start = time.perf_counter()
        self._measuring = True
        try:
            if isinstance(self._meter, MeasuringProcess):
                self._meter.submit(job.architecture, self._classes)
                return Measured(job.trial, *self._meter.result())
            (latency,) = self._meter.measure([job.architecture], self._classes)
        except TRIAL_FAILURES as error:
            return Failed.of(job.trial, error, time.perf_counter() - start)
        finally:
            self._measuring = False
        return Measured(job.trial, latency, time.perf_counter() - start)

    def _waits(self) -> None:
        """Somebody keeps a training from the cores; its own measurements are no news."""
        if not self._measuring:
            self._on_wait()

    def _train(self, job: Train) -> Outcome:
        start = time.perf_counter()
        try:
            share = self._trainer.memory(job.assignment.architecture) / USABLE
            with contextlib.suppress(OutOfMemoryError):
                return self._train_in(job, share)
            return self._train_in(job, WHOLE)
        except TRIAL_FAILURES as error:
            return Failed.of(job.trial, error, time.perf_counter() - start)

    def _train_in(self, job: Train, share: float) -> Outcome:
        with self._room.hold(share):
            return train(
                job,
                self._trainer,
                self._classes,
                on_epoch=self._epoch_ended,
                on_step=self._go_on,
                on_wait=self._waits,
            )

    def _epoch_ended(self, trial: int, epoch: Epoch) -> None:
        self._said.put((trial, epoch))
        self._go_on()

    def _go_on(self) -> None:
        if self._closing:
            raise _ClosingError


class _ClosingError(Exception):
    """Ends a training whose engine is closed; nobody waits for its outcome."""
