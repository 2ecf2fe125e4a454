"""What a few steps tell of whole trainings: how long they take, and in which precision."""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import Callable, Sequence

import torch

from mbnas.network import Architecture
from mbnas.training.device import turn
from mbnas.training.recipe import Precision
from mbnas.training.run import TrainingRun
from mbnas.training.steps import STEPS_BEFORE_CAPTURE
from mbnas.training.trainer import OutOfMemoryError

TIMED_STEPS = 3
WORTH_IT = 1.1
"""How many times faster bfloat16 must be on a CPU, which has less of it to gain from."""


def step_seconds(run: TrainingRun, device: torch.device) -> float:
    """The shortest of some steps, once everything is set up."""

    def begin() -> None:
        with turn(device):
            run.steps.begin_epoch(1, torch.Generator())

    def wait() -> None:
        if device.type == "cuda":
            torch.cuda.synchronize(device)

    begin()
    run.network.train()
    for _ in range(min(STEPS_BEFORE_CAPTURE + 1, run.steps.an_epoch)):  # pays for set-up
        run.steps.advance()
    times = []
    for _ in range(TIMED_STEPS):
        begin()
        wait()
        start = time.perf_counter()
        run.steps.advance()
        wait()
        times.append(time.perf_counter() - start)
    return min(times)


def quicker_precision(
    networks: Sequence[Architecture], seconds: Callable[[Architecture, Precision], float]
) -> Precision:
    """bfloat16, if a step of some networks is so much faster in it that it is worth it.

    Args:
        networks: That are tried.
        seconds: How long a step of one takes in a precision.
    """
    gains = []
    with contextlib.suppress(OutOfMemoryError):  # then there is nothing to be had by trying
        for network in networks:
            whole, half = seconds(network, "float32"), seconds(network, "bfloat16")
            gains.append(math.log(whole / half))
        if gains and sum(gains) / len(gains) >= math.log(WORTH_IT):
            return "bfloat16"
    return "float32"
