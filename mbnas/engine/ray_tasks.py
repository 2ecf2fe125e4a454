"""What runs in the workers of a Ray cluster: a job, a measurement, a look at the machine."""

from __future__ import annotations

import os
import pickle
import platform
import queue
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import ray
import torch

from mbnas.engine.jobs import Job, Measure, Measured, Outcome, Train
from mbnas.engine.work import TRIAL_FAILURES, end_at_once, failed
from mbnas.engine.work import train as train_here
from mbnas.errors import StudyError
from mbnas.measure.host import Host, this_host
from mbnas.measure.latency import Latency, LatencyMeter, OrtLatencyMeter
from mbnas.network import Architecture
from mbnas.training.device import usual_precision
from mbnas.training.recipe import Precision
from mbnas.training.torch_trainer import TorchTrainer
from mbnas.training.trainer import Epoch, Trainer, no_step

LOOK_SECONDS = 0.5
"""Between two moments at which a task hears that it is cancelled."""


@dataclass(frozen=True, slots=True)
class Tools:
    """What jobs are done with, in the object store.

    Attributes:
        trainer: Refers to a trainer; None where nothing is trained.
        meter: Refers to a meter.
        host: What a machine must be whose latencies count.
        classes: Number of classes of the data.
    """

    trainer: Any
    meter: Any
    host: Host
    classes: int


@dataclass(frozen=True, slots=True)
class Begun:
    """A task has a place, and waits no more."""


@dataclass(frozen=True, slots=True)
class Waits:
    """Somebody keeps a measurement from the cores."""


@dataclass(frozen=True, slots=True)
class Reached:
    """An epoch has ended.

    Attributes:
        epoch: What it brought.
        checkpoint: What the trainer left in the checkpoint file; None where there is none.
    """

    epoch: Epoch
    checkpoint: bytes | None


@dataclass(frozen=True, slots=True)
class Ended:
    """A task has come to its end.

    Attributes:
        outcome: What came of the job. Pickled here, its arrays are the reader's own; those that
            Ray unpickles cannot be written to.
    """

    outcome: bytes


Said = Begun | Waits | Reached | Ended
"""What a task says: first `Begun`, at last `Ended`."""


class _CancelledError(Exception):
    """Ends a training whose task is cancelled."""


def look(threads: int) -> Host:
    """The machine on which this runs."""
    return this_host(threads)


def gpu_precision() -> Precision:
    """The precision that this host's GPUs are sure to gain by."""
    return usual_precision("auto", torch.device("cuda"))


def measure(tools: Tools, architectures: Sequence[Architecture]) -> list[Latency]:
    """Latencies in the order given."""
    return _meter(tools).measure(architectures, tools.classes)


def do(tools: Tools, pickled_job: bytes, checkpoint: bytes | None) -> Iterator[Said]:
    """Does a job, in a thread, while this one tells of it.

    Args:
        tools: With what.
        pickled_job: The job.
        checkpoint: Content of the driver's checkpoint file, whose place another one takes here.
    """
    yield Begun()
    said: queue.SimpleQueue[Said | Exception] = queue.SimpleQueue()
    cancelled = threading.Event()
    with tempfile.TemporaryDirectory(prefix="mbnas-") as folder:
        file = Path(folder, "checkpoint")
        if checkpoint is not None:
            file.write_bytes(checkpoint)
        work = threading.Thread(
            target=_work,
            args=(tools, pickle.loads(pickled_job), file, said.put, cancelled),
            daemon=True,
        )
        work.start()
        try:
            yield from _heard(said)
        finally:
            cancelled.set()
            work.join()


def _heard(said: queue.SimpleQueue[Said | Exception]) -> Iterator[Said]:
    """What the thread says, to its end.

    Raises:
        Exception: what ended the thread.
    """
    while True:
        try:
            heard = said.get(timeout=LOOK_SECONDS)
        except queue.Empty:  # Ray interrupts no thread in the middle of a wait, but here
            continue
        if isinstance(heard, Exception):
            raise heard
        yield heard
        if isinstance(heard, Ended):
            return


def _work(
    tools: Tools,
    job: Job,
    file: Path,
    say: Callable[[Said | Exception], None],
    cancelled: threading.Event,
) -> None:
    """Does a job in this thread; what would end it is said."""
    start = time.perf_counter()
    outcome: Outcome
    try:
        try:
            if isinstance(job, Measure):
                outcome = _measured(tools, job, lambda: say(Waits()))
            else:
                outcome = _trained(tools, job, file, say, cancelled)
        except TRIAL_FAILURES as error:
            outcome = failed(job, error, time.perf_counter() - start)
        say(Ended(pickle.dumps(outcome)))
    except _CancelledError:
        pass  # nobody hears
    except torch.AcceleratorError:  # after which nothing can be done on a GPU in here
        end_at_once()
    except Exception as error:  # noqa: BLE001 - raised again where the task is asked for
        say(error)


def _measured(tools: Tools, job: Measure, on_wait: Callable[[], None]) -> Measured:
    meter = _meter(tools)
    if isinstance(meter, OrtLatencyMeter):
        meter.on_wait = on_wait
    start = time.perf_counter()
    (latency,) = meter.measure([job.architecture], tools.classes)
    return Measured(job.trial, latency, time.perf_counter() - start)


def _trained(
    tools: Tools,
    job: Train,
    file: Path,
    say: Callable[[Said], None],
    cancelled: threading.Event,
) -> Outcome:
    """A network trained on this task's share of the machine."""

    def go_on() -> None:
        if cancelled.is_set():
            raise _CancelledError

    def epoch_ended(_: int, epoch: Epoch) -> None:
        say(Reached(epoch, file.read_bytes() if file.exists() else None))
        go_on()

    if job.assignment.checkpoint is not None:
        job = replace(job, assignment=replace(job.assignment, checkpoint=file))
    try:
        trainer = _opened_trainer(tools.trainer, _device())
        # No word of waiting: mostly it is for this engine's own measurements.
        return train_here(
            job, trainer, tools.classes, on_epoch=epoch_ended, on_wait=no_step, on_step=go_on
        )
    finally:
        if torch.cuda.is_available():
            torch.cuda.empty_cache()  # what one keeps, the others on the device lack


def _meter(tools: Tools) -> LatencyMeter:
    """The meter, of this worker.

    Raises:
        StudyError: this machine is another one than the others that measure.
    """
    here = this_host(tools.host.threads)
    if here.fingerprint != tools.host.fingerprint:
        raise StudyError(
            f"{platform.node()}: its latencies do not compare with the others' ({here}, and not "
            f"{tools.host}); start Ray there without the resource mbnas_latency"
        )
    return _opened_meter(tools.meter)


# One copy a worker, for all its tasks; Ray keeps one copy of the images a machine.
@lru_cache(maxsize=1)
def _opened_meter(meter: Any) -> LatencyMeter:
    opened: LatencyMeter = ray.get(meter)
    return opened


@lru_cache(maxsize=1)
def _opened_trainer(trainer: Any, device: str | None) -> Trainer:
    opened: Trainer = ray.get(trainer)
    if isinstance(opened, TorchTrainer) and device is not None:
        return opened.on(device)
    return opened


def _device() -> str | None:
    """The GPU that Ray gave this task a share of, as torch counts them."""
    given = ray.get_gpu_ids()
    if not given:
        return None
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if not visible:
        return f"cuda:{given[0]}"
    return f"cuda:{visible.split(',').index(str(given[0]))}"
