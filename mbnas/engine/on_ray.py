"""The engine that evaluates on a Ray cluster, or with Ray on this machine."""

from __future__ import annotations

import math
import pickle
import time
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mbnas.engine.jobs import Failed, Job, LaidDown, Measure, Outcome, Train
from mbnas.engine.ray_cluster import (
    LATENCY_RESOURCE,
    LOOK_SECONDS,
    RayCluster,
    connect,
    lost_errors,
    measuring,
    original,
    remotely,
)
from mbnas.engine.ray_meter import RayMeter
from mbnas.engine.room import PACK_ON_GPU
from mbnas.errors import BuildError
from mbnas.files import write_atomically
from mbnas.training.trainer import Epoch, Trainer

__all__ = ["RayCluster", "RayEngine", "RayMeter", "connect"]

_SHARES = 10_000
"""Parts of a GPU that Ray tells apart."""
_ENDING_SECONDS = 3.0
"""For trainings to hear that they are cancelled, and to take their files away."""


@dataclass(slots=True)
class _Task:
    """A job, and what it has been through.

    Attributes:
        job: What is to be done.
        submitted: When, by `time.monotonic`.
        begun: Whether it has a place in the cluster.
        reached: The last epoch that was heard of.
        lost: Whether a worker has died of it already.
        alone: Whether it has a GPU to itself.
    """

    job: Job
    submitted: float
    begun: bool = False
    reached: int = 0
    lost: bool = False
    alone: bool = False


class RayEngine:
    """Trains and measures in tasks of a Ray cluster, which finds a place for each.

    Trainer and meter are sent once to each host. Workers send every checkpoint here, so that no
    file system need be shared; this process writes it, then tells of the epoch.

    A job whose worker or host dies is submitted once more, from the last epoch on. Ray's own
    retry would begin where the job began.

    Args:
        trainer: Trains networks; on GPUs where the cluster has any.
        meter: Measures latencies, on the cluster's hosts that do.
        classes: Number of classes of the data.
        pack: Trainings on a GPU at once.
        cores: Cores for each training where there are no GPUs.
        on_wait: Called when somebody keeps a measurement from its cores for two seconds.
    """

    def __init__(
        self,
        trainer: Trainer,
        meter: RayMeter,
        classes: int,
        *,
        pack: int = PACK_ON_GPU,
        cores: int = 1,
        on_wait: Callable[[], None] = lambda: None,
    ) -> None:
        import ray

        from mbnas.engine.ray_tasks import Tools

        self._cluster = meter.cluster
        self._tools = Tools(ray.put(trainer), meter.sent, meter.host, classes)
        self._epochs = trainer.epochs
        self._on_gpu = any(offer.get("GPU", 0) > 0 for offer in self._cluster.offers())
        self._pack, self._cores = pack, cores
        self._on_wait = on_wait
        self._tasks: dict[Any, _Task] = {}
        self._cancelled: list[Any] = []
        self._laid_down: deque[int] = deque()
        self._halted = False

    @property
    def capacity(self) -> int:
        """One more than are trained at once on the hosts that are there now."""
        offers = self._cluster.offers()
        if self._on_gpu:
            return sum(int(offer.get("GPU", 0)) * self._pack for offer in offers) + 1
        return sum(int(offer.get("CPU", 0)) // self._cores for offer in offers) + 1

    def submit(self, job: Job) -> None:
        """Gives a job to Ray, which begins it where there is room."""
        if self._halted:
            self._laid_down.append(job.trial)
        else:
            self._begin(_Task(job, time.monotonic()))

    def wait(self, on_epoch: Callable[[int, Epoch], None]) -> Outcome:
        """The outcome of the job that ends first; meanwhile `on_epoch` hears of all trainings.

        Raises:
            StudyError: what the jobs need has been gone from the cluster for five minutes.
            BuildError: a checkpoint cannot be written.
        """
        while not self._laid_down:
            stream = self._ready()
            if stream is not None:
                outcome = self._hear(stream, on_epoch)
                if outcome is not None:
                    return outcome
        return LaidDown(self._laid_down.popleft())

    def halt(self) -> None:
        """Lays trainings down at the end of their epoch; what waits for a place is not begun."""
        import ray

        self._halted = True
        for stream, task in list(self._tasks.items()):
            if not task.begun and not ray.wait([stream], timeout=0)[0]:
                self._cancel([stream])
                self._laid_down.append(task.job.trial)

    def close(self) -> None:
        """Cancels all that is unfinished, and leaves the cluster, or ends one begun here."""
        import ray

        self._cancel(list(self._tasks))
        ends = [stream.completed() for stream in self._cancelled]
        ray.wait(ends, num_returns=max(1, len(ends)), timeout=_ENDING_SECONDS)
        self._cluster.close()

    def _begin(self, task: _Task) -> None:
        from mbnas.engine.ray_tasks import do

        job = task.job
        checkpoint = job.assignment.checkpoint if isinstance(job, Train) else None
        content = checkpoint.read_bytes() if checkpoint and checkpoint.exists() else None
        place = measuring() if isinstance(job, Measure) else self._place(task.alone)
        do_there = remotely(do, num_returns="streaming", max_retries=0, **place)
        self._tasks[do_there.remote(self._tools, pickle.dumps(job), content)] = task

    def _place(self, alone: bool) -> dict[str, Any]:
        """Ray's options for a training."""
        share = 1.0 if alone else math.floor(_SHARES / self._pack) / _SHARES
        room = {"num_gpus": share, "num_cpus": 0} if self._on_gpu else {"num_cpus": self._cores}
        # Ray fills one host by half before it takes the next, unless it is told to.
        return {**room, "scheduling_strategy": "SPREAD"}

    def _ready(self) -> Any:
        """The stream of a task that has something to say; None where all have been silent."""
        import ray

        ready, _ = ray.wait(list(self._tasks), timeout=LOOK_SECONDS)
        if ready:
            return ready[0]
        for resource in {self._resource(task.job) for task in self._tasks.values()}:
            self._cluster.require(resource)
        return None

    def _resource(self, job: Job) -> str:
        if isinstance(job, Measure):
            return LATENCY_RESOURCE
        return "GPU" if self._on_gpu else "CPU"

    def _hear(self, stream: Any, on_epoch: Callable[[int, Epoch], None]) -> Outcome | None:
        """The next thing that a task says; an outcome, if it is one."""
        import ray

        from mbnas.engine.ray_tasks import Begun, Ended, Reached, Waits

        task = self._tasks.pop(stream, None)
        if task is None:  # halted by a signal, while it was waited for
            return None
        try:
            said = ray.get(next(stream))
        except ray.exceptions.RayTaskError as error:
            raise original(error) from None
        except lost_errors() as error:
            return self._lost(task, error)
        if isinstance(said, Ended):
            return self._ended(task, pickle.loads(said.outcome))
        self._tasks[stream] = task  # the last one now: all are heard in turn
        match said:
            case Begun():
                task.begun = True
            case Waits():
                self._on_wait()
            case Reached():
                return self._reached(stream, task, said, on_epoch)
        return None

    def _reached(
        self, stream: Any, task: _Task, said: Any, on_epoch: Callable[[int, Epoch], None]
    ) -> Outcome | None:
        """Keeps an epoch and tells of it, once; where the engine is halted, it was the last."""
        assert isinstance(task.job, Train)
        assignment, epoch = task.job.assignment, said.epoch
        if epoch.epoch > task.reached:
            if assignment.checkpoint is not None and said.checkpoint is not None:
                _keep(assignment.checkpoint, said.checkpoint)
            task.reached = epoch.epoch
            on_epoch(task.job.trial, epoch)
        # After the last one, the outcome follows at once.
        if self._halted and epoch.epoch < (assignment.until or self._epochs):
            self._cancel([stream])
            return LaidDown(task.job.trial)
        return None

    def _ended(self, task: _Task, outcome: Outcome) -> Outcome | None:
        """An outcome; a lack of memory is tried once more, nothing beside it."""
        lacks = isinstance(outcome, Failed) and outcome.kind == "out of memory"
        if lacks and self._on_gpu and self._pack > 1 and not task.alone:
            return self._again(task, alone=True)
        return outcome

    def _lost(self, task: _Task, error: Exception) -> Outcome | None:
        """Its worker died: another one does the job, or no third one."""
        import ray

        if not task.lost:
            task.lost = True
            return self._again(task, alone=task.alone)
        lacks = isinstance(error, ray.exceptions.OutOfMemoryError)
        return Failed(
            task.job.trial,
            "out of memory" if lacks else "lost worker",
            f"its worker or host died, for the second time ({type(error).__name__})",
            time.monotonic() - task.submitted,
            "\n".join([str(error), *self._cluster.notices]),
        )

    def _again(self, task: _Task, alone: bool) -> Outcome | None:
        if self._halted:
            return LaidDown(task.job.trial)
        task.begun, task.alone = False, alone
        self._begin(task)
        return None

    def _cancel(self, streams: Iterable[Any]) -> None:
        import ray

        for stream in streams:
            del self._tasks[stream]
            ray.cancel(stream)
            self._cancelled.append(stream)


def _keep(path: Path, checkpoint: bytes) -> None:
    """Writes a checkpoint.

    Raises:
        BuildError: it cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, checkpoint)
    except OSError as error:
        raise BuildError(f"{path}: cannot be written ({error.strerror})") from None
