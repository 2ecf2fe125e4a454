"""Candidates an hour on one device, trained one at a time and in several processes at once.

A part of `bench_training.py`. Every network is new to the libraries, as in a search; starting the
processes, each with one network for its libraries to set up, is not counted. On a GPU processes
take turns; under NVIDIA's MPS, where it is to be had, their kernels run at the same time.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import queue
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from mbnas.network import Architecture
from mbnas.space import SearchSpace
from mbnas.training.torch_trainer import TorchTrainer
from mbnas.training.trainer import Assignment, Epoch

PROCESSES = (4, 8)
PROCESSES_UNDER_MPS = (4, 8)
PATIENCE_SECONDS = 90.0
"""For one way; a GPU that does not answer is to cost no more."""
MPS = "nvidia-cuda-mps-control"


def packing(
    trainer: TorchTrainer,
    space: SearchSpace,
    count: int,
    found: dict[str, Any],
    keep: Callable[[], None],
) -> None:
    """Candidates an hour in every way, and how far accuracies lie from those one at a time.

    Each is written into `found`, and `keep` called, before the next is begun.
    """
    first, *some = candidates(space, count + 1)
    found |= {"candidates": count, "epochs": trainer.epochs}
    train(trainer, first)
    start = time.perf_counter()
    alone = [train(trainer, one) for one in some]
    found["candidates an hour, one at a time"] = rate(count, start)
    keep()
    ways = [(number, False) for number in PROCESSES]
    if shutil.which(MPS):
        ways += [(number, True) for number in PROCESSES_UNDER_MPS]
    for number, shared in ways:
        way = f"{number} processes{' under MPS' if shared else ''}"
        print(f"packing: {way}", file=sys.stderr, flush=True)
        try:
            with mps() if shared else contextlib.nullcontext():
                accuracies, per_hour = at_once(trainer, first, some, number)
        except (queue.Empty, subprocess.SubprocessError) as error:
            found[f"candidates an hour, {way}"] = f"none: {error!r}"
            keep()
            if shared:
                break  # nor will more of them answer, and a lent GPU's time is short
            continue
        found[f"candidates an hour, {way}"] = per_hour
        apart = max(abs(one - other) for one, other in zip(accuracies, alone, strict=True))
        found[f"largest difference in accuracy, {way}"] = round(apart, 4)
        keep()


def candidates(space: SearchSpace, count: int) -> list[Architecture]:
    """So many networks, the same every time."""
    rng = random.Random(2)
    return [space.architecture(space.sample(rng)) for _ in range(count)]


def at_once(
    trainer: TorchTrainer, first: Architecture, some: Sequence[Architecture], number: int
) -> tuple[list[float], int]:
    """Accuracies, and candidates an hour, of a pack of processes."""
    context = multiprocessing.get_context("spawn")
    tasks, done = context.Queue(), context.Queue()
    device = str(trainer.device)
    workers = [
        context.Process(target=serve, args=(trainer, device, first, tasks, done), daemon=True)
        for _ in range(number)
    ]
    until = time.monotonic() + PATIENCE_SECONDS

    def answer() -> tuple[int, float]:
        return done.get(timeout=max(0.0, until - time.monotonic()))

    try:
        for worker in workers:
            worker.start()
        for _ in workers:
            answer()  # is ready
        start = time.perf_counter()
        for at, one in enumerate(some):
            tasks.put((at, one))
        accuracies = dict(answer() for _ in some)
        per_hour = rate(len(some), start)
    finally:
        for worker in workers:
            worker.kill()
            worker.join()
    return [accuracies[at] for at in range(len(some))], per_hour


def serve(trainer: TorchTrainer, device: str, first: Architecture, tasks: Any, done: Any) -> None:
    """What a process does: one network for set-up, then those that come."""
    trainer = trainer.on(device)
    train(trainer, first)
    done.put((-1, 0.0))
    while True:
        at, one = tasks.get()
        done.put((at, train(trainer, one)))


def train(trainer: TorchTrainer, one: Architecture) -> float:
    return trainer.train(Assignment(one, 0), ignore).accuracy


def ignore(_: Epoch) -> None:
    """Hears nothing."""


def rate(count: int, start: float) -> int:
    return round(3600 * count / (time.perf_counter() - start))


@contextlib.contextmanager
def mps() -> Iterator[None]:
    """NVIDIA's MPS for the processes that are started inside; nobody else meets it."""
    with tempfile.TemporaryDirectory(prefix="mps-") as folder:
        own = {"CUDA_MPS_PIPE_DIRECTORY": folder, "CUDA_MPS_LOG_DIRECTORY": folder}
        os.environ |= own
        try:
            subprocess.run([MPS, "-d"], check=True, timeout=10)
            yield
        finally:
            for name in own:
                del os.environ[name]
            ending = os.environ | own
            subprocess.run([MPS], input="quit\n", text=True, check=False, timeout=10, env=ending)
