"""The engine that works in this process, one job after another."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from mbnas.engine.beside import MeasuringProcess
from mbnas.engine.jobs import Job, LaidDown, Measure, Outcome, Train
from mbnas.engine.work import evaluate
from mbnas.measure.latency import LatencyMeter
from mbnas.training.trainer import Epoch, Trainer


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
        meter: LatencyMeter,
        classes: int,
        on_wait: Callable[[], None] = lambda: None,
    ) -> None:
        self._trainer = trainer
        self._meter = meter
        self._classes = classes
        self._on_wait = on_wait
        self._measurements: deque[Measure] = deque()
        self._trainings: deque[Train] = deque()
        self._halted = False

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
        if self._halted:
            return LaidDown(job.trial)

        def heard(trial: int, epoch: Epoch) -> None:
            on_epoch(trial, epoch)
            if self._halted and epoch.epoch < self._trainer.epochs:
                raise _HaltedError

        if isinstance(job, Measure) and isinstance(self._meter, MeasuringProcess):
            return self._meter.outcome(job)
        try:
            return evaluate(
                job,
                self._trainer,
                self._meter,
                self._classes,
                on_epoch=heard,
                on_wait=self._on_wait,
            )
        except _HaltedError:
            return LaidDown(job.trial)

    def halt(self) -> None:
        """Lays the training down that runs, at the end of its epoch; nothing else is begun."""
        self._halted = True

    def close(self) -> None:
        """Ends the process beside, if there is one."""
        if isinstance(self._meter, MeasuringProcess):
            self._meter.close()


class _HaltedError(Exception):
    """Ends a training whose engine is halted."""
