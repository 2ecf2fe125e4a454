"""Processes that take cases one by one; one that hangs or dies is replaced, and its case told."""

from __future__ import annotations

import faulthandler
import importlib
import multiprocessing
import os
import resource
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from fuzzing.judge import Fault, Status

CHUNK = 100
START_SECONDS = 240.0
MEMORY_BYTES = 16 * 2**30
"""Of a worker's addresses, so that a bomb is an error and not the end of the machine."""
_STACKS = "stacks.txt"


@dataclass(frozen=True, slots=True)
class Job:
    """What a worker is started with: the kind's class, its folders, and the seed."""

    kind: str
    shared: Path
    faults: Path
    seed: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Result:
    """What a case came to.

    Attributes:
        number: Of the case.
        status: How it ended.
        done: What was done in it, and how that ended: `report: accepted`.
        fault: What went wrong, if anything did.
    """

    number: int
    status: Status
    done: tuple[str, ...] = ()
    fault: Fault | None = None


@dataclass(slots=True)
class _Worker:
    process: BaseProcess
    connection: Connection
    folder: Path
    left: list[int] = field(default_factory=list)
    heard: float = 0.0
    limit: float = START_SECONDS


def run(job: Job, cases: int, workers: int, seconds: float) -> Iterator[Result]:
    """What each case comes to, in the order in which they end; no new ones after some time."""
    until = time.monotonic() + seconds
    waiting = [
        list(range(start, min(start + CHUNK, cases))) for start in reversed(range(0, cases, CHUNK))
    ]
    pool = [_started(job, at) for at in range(workers)]
    try:
        for worker in pool:
            _feed(worker, waiting)
        while any(worker.left for worker in pool):
            ready = wait([worker.connection for worker in pool if worker.left], timeout=0.5)
            for at, worker in enumerate(pool):
                if not worker.left:
                    continue
                result = _heard(job, worker, worker.connection in ready)
                if result is None:
                    continue
                if result.status in ("hang", "crash"):
                    left = worker.left
                    pool[at] = _started(job, at)
                    if left:
                        pool[at].left = left
                        pool[at].connection.send(left)
                yield result
                if not pool[at].left and time.monotonic() < until:
                    _feed(pool[at], waiting)
    finally:
        for worker in pool:
            worker.process.kill()


def _heard(job: Job, worker: _Worker, is_ready: bool) -> Result | None:
    """What a worker said, or what its silence means."""
    number = worker.left[0]
    if is_ready:
        try:
            result: Result | None = worker.connection.recv()
        except (EOFError, OSError):
            if worker.limit == START_SECONDS:
                raise SystemExit("a worker could not be started; see above") from None
            worker.process.join()
            del worker.left[0]
            code = worker.process.exitcode
            return Result(number, "crash", fault=_kept(job, worker, number, f"crash ({code})"))
        worker.heard, worker.limit = time.monotonic(), job.seconds
        if result is not None:
            del worker.left[0]
        return result
    if time.monotonic() - worker.heard > worker.limit:
        worker.process.kill()
        worker.process.join()
        del worker.left[0]
        return Result(number, "hang", fault=_kept(job, worker, number, "hang"))
    return None


def _kept(job: Job, worker: _Worker, number: int, what: str) -> Fault:
    """The fault of a worker that could not tell it; its case stands in its folder."""
    stacks = worker.folder / _STACKS
    said = stacks.read_text(errors="replace") if stacks.exists() else ""
    place = next((line.strip() for line in said.splitlines() if "/mbnas/" in line), "")
    where = place.partition("/mbnas/")[2] or "unknown"
    fault = Fault(f"{what} in {where}", said[-6000:])
    kept = job.faults / f"{job.kind.rpartition('.')[2]}-{fault.mark}-{number}"
    if not kept.exists():
        worker.folder.rename(kept)
    return Fault(fault.name, fault.said, kept.name)


def _feed(worker: _Worker, waiting: list[list[int]]) -> None:
    if waiting:
        worker.left = waiting.pop()
        worker.connection.send(list(worker.left))


def _started(job: Job, at: int) -> _Worker:
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    folder = job.shared / f"worker-{at}-{time.monotonic_ns()}"
    folder.mkdir(parents=True)
    process = context.Process(target=_work, args=(job, folder, theirs), daemon=True)
    process.start()
    theirs.close()
    return _Worker(process, ours, folder, heard=time.monotonic())


def _work(job: Job, folder: Path, connection: Connection) -> None:
    os.environ["MBNAS_CACHE"] = str(job.shared / "cache")
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    module, _, name = job.kind.rpartition(".")
    kind: Any = getattr(importlib.import_module(module), name)(job, folder)
    with (folder / _STACKS).open("w") as stacks:
        faulthandler.enable(stacks, all_threads=True)
        connection.send(None)  # ready: from now on the limit of a case counts
        while True:
            for number in connection.recv():
                faulthandler.dump_traceback_later(0.8 * job.seconds, file=stacks)
                result = kind.run(number)
                faulthandler.cancel_dump_traceback_later()
                connection.send(result)
