"""The engine whose trainings and measurements have processes of their own on this machine."""

from __future__ import annotations

import math
import shutil
import tempfile
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import replace
from multiprocessing.connection import wait as first_of
from pathlib import Path

from mbnas.engine.jobs import Failed, Job, LaidDown, Measure, Outcome, Train
from mbnas.engine.places import places
from mbnas.engine.room import USABLE, WHOLE
from mbnas.engine.seats import Seat, Task
from mbnas.engine.sharing import SharedCopy
from mbnas.engine.worker import MAIN_GUARD, Begins, Broken, Said, Waited, Waits, Worker
from mbnas.errors import StudyError
from mbnas.measure.cores import keep_to, usable_cores
from mbnas.measure.latency import LatencyMeter
from mbnas.training.trainer import Epoch, Trainer


class WorkersEngine:
    """Trains in some processes and measures in another.

    A process that dies takes nothing with it: its job goes to another one, from the last epoch on.
    On each device as many trainings run as its memory holds by the trainer's estimate; one that
    meets a lack of memory all the same is trained again alone, from its checkpoint on. The images
    are in memory that all share. Where trainings use the cores, the measuring process makes them
    pause; where they use GPUs, it has cores to itself if there are enough.

    Args:
        trainer: Trains networks; sent to the processes.
        meter: Measures latencies; sent too.
        classes: Number of classes of the data.
        pack: Trainings at once; on GPUs, on each.
        on_wait: Called when another mbnas keeps a training from the cores for two seconds.

    Raises:
        StudyError: trainer or meter cannot be sent to another process.
    """

    def __init__(
        self,
        trainer: Trainer,
        meter: LatencyMeter,
        classes: int,
        pack: int,
        on_wait: Callable[[], None] = lambda: None,
    ) -> None:
        self._tools = SharedCopy.of((trainer, meter))
        self._epochs = trainer.epochs
        self._memory = trainer.memory
        self._classes = classes
        self._on_wait = on_wait
        self._logs = Path(tempfile.mkdtemp(prefix="mbnas-workers-"))
        measuring, training = places(trainer, meter.threads, pack)
        self._cores = usable_cores() if training[0].cores else []
        if self._cores:
            keep_to(list(training[0].cores))  # this process too is to keep off those that measure
        self._measuring = [Seat(measuring)]
        self._training = [Seat(place) for place in training]
        self._measurements: deque[Task] = deque()
        self._trainings: deque[Task] = deque()
        self._laid_down: deque[int] = deque()
        self._halted = self._begun = False

    @property
    def capacity(self) -> int:
        """One more than are trained at once: the next is measured, or waits for a free place."""
        return len(self._training) + 1

    def submit(self, job: Job) -> None:
        """Gives a job to a free worker, or lets it wait for one."""
        match job:
            case Measure():
                self._measurements.append(Task(job))
            case Train():
                share = self._memory(job.assignment.architecture) / USABLE
                self._trainings.append(Task(job, min(share, WHOLE)))
        self._assign()

    def wait(self, on_epoch: Callable[[int, Epoch], None]) -> Outcome:
        """The outcome of the job that ends first; meanwhile `on_epoch` hears of all trainings."""
        while not self._laid_down:
            outcome = self._next(on_epoch)
            self._assign()
            if outcome is not None:
                return outcome
        return LaidDown(self._laid_down.popleft())

    def halt(self) -> None:
        """Lays trainings down at the end of their epoch; what waits for a place is not begun."""
        self._halted = True
        self._assign()

    def close(self) -> None:
        """Ends the processes; trainings are lost but for their last checkpoint."""
        for seat in self._seats:
            seat.clear()
        if self._cores:
            keep_to(self._cores)
        self._tools.close()
        shutil.rmtree(self._logs, ignore_errors=True)

    @property
    def _seats(self) -> list[Seat]:
        return [*self._measuring, *self._training]

    def _assign(self) -> None:
        """Gives waiting jobs to free workers; of a halted engine, back."""
        if self._halted:
            waiting = (*self._measurements, *self._trainings)
            self._laid_down += [task.job.trial for task in waiting]
            self._measurements.clear()
            self._trainings.clear()
        self._begin(self._measuring, self._measurements)
        self._begin(self._training, self._trainings)

    def _begin(self, seats: Sequence[Seat], waiting: deque[Task]) -> None:
        """Gives jobs in turn to free seats whose device has room for them."""
        while waiting:
            seat = next((one for one in seats if one.has_room(waiting[0].share, seats)), None)
            if seat is None:
                return
            if waiting[0].share == WHOLE:
                # What idle workers keep of the device is part of the whole.
                for idle in seats:
                    if idle.place.device == seat.place.device and idle is not seat:
                        idle.clear()
            if seat.worker is not None and not seat.worker.is_alive:
                seat.clear()  # it died while it was idle, which is no network's fault
            seat.worker = seat.worker or Worker(
                seat.place, self._tools, self._classes, self._logs / seat.place.name
            )
            seat.task, seat.phase, seat.began = waiting.popleft(), "starting", time.monotonic()
            seat.worker.send(seat.task.job)

    def _next(self, on_epoch: Callable[[int, Epoch], None]) -> Outcome | None:
        """Hears what the next worker says; an outcome, if it is one."""
        busy = {
            seat.worker.pipe: seat
            for seat in self._seats
            if seat.worker is not None and seat.task is not None
        }
        until = min(seat.hangs_from for seat in busy.values())
        patience = None if until == math.inf else max(0.0, until - time.monotonic())
        ready = first_of(list(busy), patience)
        if not ready:
            return self._end_hanging(min(busy.values(), key=lambda seat: seat.hangs_from))
        pipe = next(pipe for pipe in busy if pipe is ready[0])
        seat = busy[pipe]
        try:
            said: Said = pipe.recv()
        except (EOFError, OSError):
            assert seat.worker is not None
            return self._lost(seat, *seat.worker.obituary())
        match said:
            case (int(trial), epoch):
                on_epoch(trial, epoch)
                if not self._halted or epoch.epoch == self._epochs:  # whose outcome comes next
                    return None
                seat.clear()
                return LaidDown(trial)
            case Begins():
                seat.phase, seat.began = "working", time.monotonic()
                self._begun = True
                return None
            case Waited(seconds):
                seat.phase, seat.began = "working", seat.began + seconds
                return None
            case Waits():
                seat.phase = "waiting"
                if len(busy) == 1:  # else one's own trainings and measurements take turns
                    self._on_wait()
                return None
            case Broken():
                raise said.error
            case _:
                return self._ended(seat, said)

    def _ended(self, seat: Seat, outcome: Outcome) -> Outcome | None:
        """An outcome; a lack of memory is tried once more, nothing beside it."""
        task, seat.task = seat.task, None
        assert task is not None
        if isinstance(outcome, Failed) and outcome.kind == "out of memory" and task.share < WHOLE:
            seat.clear()  # what the attempt may still hold, a broken-off capture above all
            self._again(replace(task, share=WHOLE))
            return None
        return outcome

    def _end_hanging(self, seat: Seat) -> Outcome | None:
        """Ends a worker that has not said in time what it was to say."""
        assert seat.task is not None
        assert seat.worker is not None
        job, log = seat.task.job, seat.worker.log_lines()
        if seat.phase == "working" and isinstance(job, Train):
            seconds = time.monotonic() - seat.began
            seat.clear()
            return Failed(
                job.trial, "timeout", f"not trained within {job.seconds:g} s", seconds, log
            )
        how = f"its process said nothing for {seat.patience_seconds:g} s"
        return self._lost(seat, how, log)

    def _lost(self, seat: Seat, how: str, log: str) -> Outcome | None:
        """Its worker died, or is to: another one does the job, or no third one.

        Raises:
            StudyError: the second one did not begin either, nor has any other one.
        """
        assert seat.task is not None
        task, seconds, starting = seat.task, time.monotonic() - seat.began, seat.phase == "starting"
        seat.clear()
        if not (task.not_begun if starting else task.lost):
            again = replace(task, not_begun=True) if starting else replace(task, lost=True)
            self._again(again)
            return None
        if not self._begun:
            *_, last = log.splitlines() or [""]
            said = f"engine workers: none could begin: {how} {last}".rstrip() + f"; {MAIN_GUARD}"
            raise StudyError(said) from None
        how += ", before it began," if starting else ","
        return Failed(task.job.trial, "lost worker", f"{how} for the second time", seconds, log)

    def _again(self, task: Task) -> None:
        waiting = self._measurements if isinstance(task.job, Measure) else self._trainings
        waiting.appendleft(task)
