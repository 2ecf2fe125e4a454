"""A process that does one job after another for an engine in another process."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import threading
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path

import torch

from mbnas.engine.interrupts import held_interrupts, leave_to_driver
from mbnas.engine.jobs import LOG_LINES, Job, Outcome
from mbnas.engine.places import Place
from mbnas.engine.sharing import SharedCopy
from mbnas.engine.work import end_at_once, evaluate, failed, how_ended, sendable
from mbnas.errors import StudyError
from mbnas.measure.cores import keep_to
from mbnas.measure.latency import LatencyMeter, OrtLatencyMeter
from mbnas.training.torch_trainer import TorchTrainer
from mbnas.training.trainer import Epoch, OutOfMemoryError, Trainer

MAIN_GUARD = "a script keeps what it runs under: if __name__ == '__main__'"
"""What a script that has workers started, which read it as a module first, must do."""
_ENDING_SECONDS = 5.0
_LOG_BYTES = 16_000


@dataclass(frozen=True, slots=True)
class Begins:
    """A worker has what it needs and begins its job."""


@dataclass(frozen=True, slots=True)
class Waits:
    """Somebody keeps a worker's training or measurement from the cores."""


@dataclass(frozen=True, slots=True)
class Waited:
    """A training that waited goes on.

    Attributes:
        seconds: How long it did.
    """

    seconds: float


@dataclass(frozen=True, slots=True)
class Broken:
    """An error that is no trial's: it ends the search."""

    error: Exception


Said = tuple[int, Epoch] | Begins | Waits | Waited | Broken | Outcome
"""What a worker says; of an outcome it is free again."""


class Worker:
    """A process. It ends with this process, however that ends.

    Args:
        place: What it has of the machine.
        tools: The trainer and the meter, for every worker of this machine.
        classes: Number of classes of the data.
        log: A file for what it prints.
    """

    def __init__(self, place: Place, tools: SharedCopy, classes: int, log: Path) -> None:
        self._log = log
        # Not forked: a process that has threads, as every one with torch has, must not be.
        context = multiprocessing.get_context("spawn")
        self.pipe, theirs = context.Pipe()
        self._process = context.Process(
            target=_serve, args=(theirs, place, tools, classes, log), daemon=True, name=place.name
        )
        with held_interrupts():
            self._process.start()
        theirs.close()

    def send(self, job: Job) -> None:
        """Has it do a job; of a dead worker, its pipe tells."""
        with contextlib.suppress(OSError):
            self.pipe.send(job)

    @property
    def is_alive(self) -> bool:
        """Whether its process runs."""
        return self._process.is_alive()

    def kill(self) -> None:
        """Ends it at once; what it had written stays whole."""
        self._process.kill()
        self._process.join()
        self.pipe.close()

    def obituary(self) -> tuple[str, str]:
        """How it ended, once its pipe is closed from there; and the last lines that it printed."""
        self._process.join(_ENDING_SECONDS)
        return how_ended(self._process.exitcode), self.log_lines()

    def log_lines(self) -> str:
        """The last lines that it printed."""
        try:
            text = self._log.read_bytes()[-_LOG_BYTES:].decode(errors="replace")
        except OSError:
            return ""
        return "\n".join(text.splitlines()[-LOG_LINES:])


def check_not_in_worker() -> None:
    """Refuses what a script does while a worker only reads it.

    Raises:
        StudyError: it would begin again in there.
    """
    # Of Python's own check against processes without end, which comes later.
    if getattr(multiprocessing.current_process(), "_inheriting", False):
        raise StudyError(f"a worker came upon the search that it is to serve: {MAIN_GUARD}")


def _serve(pipe: Connection, place: Place, tools: SharedCopy, classes: int, log: Path) -> None:
    """What the process does: until the pipe's other end is gone, do the jobs that come."""
    leave_to_driver()
    threading.Thread(target=_end_with_driver, daemon=True).start()
    _print_to(log)
    if place.cores:
        keep_to(list(place.cores))
    opened: tuple[Trainer, LatencyMeter] | None = None
    with contextlib.suppress(EOFError, OSError):  # the driver is gone
        while True:
            job = pipe.recv()
            try:
                opened = opened or _opened(tools, place, partial(pipe.send, Waits()))
                pipe.send(Begins())
                outcome = _done(job, *opened, classes, pipe.send)
            except OutOfMemoryError as error:  # where the images were to be put
                outcome = failed(job, error, 0.0)
            except ConnectionError:  # the driver is gone; any other is the job's own
                raise
            except torch.AcceleratorError:  # after which nothing can be done on a GPU in here
                end_at_once()
            except Exception as error:  # noqa: BLE001 - raised again in the driver
                _report(pipe, error)
                continue
            finally:
                if place.sharing > 1 and torch.cuda.is_available():
                    torch.cuda.empty_cache()  # what one keeps, the others on the device lack
            pipe.send(outcome)


def _opened(
    tools: SharedCopy, place: Place, on_wait: Callable[[], None]
) -> tuple[Trainer, LatencyMeter]:
    trainer: Trainer
    meter: LatencyMeter
    trainer, meter = tools.open()
    if isinstance(trainer, TorchTrainer) and place.device is not None:
        trainer = trainer.on(place.device).among(place.sharing)
    if isinstance(meter, OrtLatencyMeter):
        meter.on_wait = on_wait
    return trainer, meter


def _done(
    job: Job,
    trainer: Trainer,
    meter: LatencyMeter,
    classes: int,
    say: Callable[[Said], None],
) -> Outcome:
    return evaluate(
        job,
        trainer,
        meter,
        classes,
        on_epoch=lambda trial, epoch: say((trial, epoch)),
        on_wait=lambda: say(Waits()),
        on_waited=lambda seconds: say(Waited(seconds)),
    )


def _report(pipe: Connection, error: Exception) -> None:
    pipe.send(Broken(sendable(error)))


def _end_with_driver() -> None:
    """Ends this process with its driver, in the middle of whatever it does."""
    driver = multiprocessing.parent_process()
    assert driver is not None
    driver.join()
    os._exit(1)


def _print_to(log: Path) -> None:
    """Lets all that this process and its libraries print go to a file."""
    descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    for stream in (1, 2):
        os.dup2(descriptor, stream)
    os.close(descriptor)
