"""The engine that trains several networks at once in this process."""

from __future__ import annotations

import queue
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor

from mbnas.engine.beside import MeasuringProcess
from mbnas.engine.jobs import Failed, Job, LaidDown, Measure, Outcome, Train
from mbnas.engine.room import USABLE, WHOLE, Room
from mbnas.engine.work import evaluate
from mbnas.measure.latency import LatencyMeter
from mbnas.training.trainer import Epoch, Trainer


class PackedEngine:
    """Trains up to `pack` networks at once, each in a thread, on a GPU each in a stream.

    Two networks on a core each are done sooner than in turns on both. As many run together as the
    memory holds by the trainer's estimate; one that meets a lack of memory all the same is trained
    again alone, from its checkpoint on.

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
        meter: LatencyMeter,
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
        self._said: queue.SimpleQueue[tuple[int, Epoch] | Future[Outcome]] = queue.SimpleQueue()
        self._halted = self._closing = False
        self._laying_down: set[int] = set()
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
        future.add_done_callback(self._said.put)

    def wait(self, on_epoch: Callable[[int, Epoch], None]) -> Outcome:
        """The outcome of the job that ends first; meanwhile `on_epoch` hears of all trainings."""
        while True:
            said = self._said.get()
            if isinstance(said, Future):
                return said.result()
            on_epoch(*said)
            if self._halted:  # what is trained of the next epoch meanwhile is dropped
                self._laying_down.add(said[0])

    def halt(self) -> None:
        """Lays trainings down at the end of their epoch; what waits for a place is not begun.

        Where a training's epoch is heard of only when its next one has begun, that one ends at its
        next step, on a CPU.
        """
        self._halted = True

    def close(self) -> None:
        """Lays trainings down: at the next step on a CPU, at the end of their epoch on a GPU."""
        self._closing = True
        self._measurements.shutdown(wait=False, cancel_futures=True)
        self._trainings.shutdown(cancel_futures=True)
        if isinstance(self._meter, MeasuringProcess):
            self._meter.close()
        self._measurements.shutdown()

    def _measure(self, job: Measure) -> Outcome:
        if self._halted:
            return LaidDown(job.trial)
        self._measuring = True
        try:
            if isinstance(self._meter, MeasuringProcess):
                self._meter.submit(job.architecture, self._classes)
                return self._meter.outcome(job)
            return self._evaluate(job)
        finally:
            self._measuring = False

    def _waits(self) -> None:
        """Somebody keeps a training from the cores; its own measurements are no news."""
        if not self._measuring:
            self._on_wait()

    def _train(self, job: Train) -> Outcome:
        try:
            share = self._trainer.memory(job.assignment.architecture) / USABLE
            outcome = self._train_in(job, share)
            if isinstance(outcome, Failed) and outcome.kind == "out of memory":
                outcome = self._train_in(job, WHOLE)
        except _HaltedError:
            return LaidDown(job.trial)
        return outcome

    def _train_in(self, job: Train, share: float) -> Outcome:
        with self._room.hold(share):
            return LaidDown(job.trial) if self._halted else self._evaluate(job)

    def _evaluate(self, job: Job) -> Outcome:
        return evaluate(
            job,
            self._trainer,
            self._meter,
            self._classes,
            on_epoch=self._epoch_ended,
            on_step=lambda: self._go_on(job.trial),
            on_wait=self._waits,
        )

    def _epoch_ended(self, trial: int, epoch: Epoch) -> None:
        self._said.put((trial, epoch))
        if self._halted and epoch.epoch < self._trainer.epochs:
            raise _HaltedError
        self._go_on(trial)

    def _go_on(self, trial: int) -> None:
        if self._closing:
            raise _ClosingError
        if trial in self._laying_down:
            raise _HaltedError


class _HaltedError(Exception):
    """Ends a training whose engine is halted."""


class _ClosingError(Exception):
    """Ends a training whose engine is closed; nobody waits for its outcome."""
