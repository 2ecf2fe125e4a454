"""In what a training works: a GPU's stream, or threads of the CPU; what a lack of memory is."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import torch

from mbnas.training.allocation import kept_memory
from mbnas.training.device import lacks_memory, own_stream
from mbnas.training.trainer import OutOfMemoryError

MACS_PER_THREAD = 5e8
"""Work in one step's forward pass that keeps a CPU thread busy. Below it, threads spend their time
waiting for each other: digits-sized networks train several times slower on two busy cores than
on one."""


@contextlib.contextmanager
def surroundings(
    device: torch.device, step_macs: float, threads: int, sharing: int
) -> Iterator[None]:
    """A stream of its own on a GPU; on a CPU, as many threads as one step can feed.

    Args:
        device: That trains.
        step_macs: Multiply-accumulates of one step's forward pass.
        threads: Of the process, which has as many again afterwards.
        sharing: Trainings that share them.
    """
    if device.type == "cuda":
        with own_stream(device):
            yield
        return
    most = max(1, threads // sharing)
    torch.set_num_threads(max(1, min(most, round(step_macs / MACS_PER_THREAD))))
    try:
        with kept_memory():
            yield
    finally:
        torch.set_num_threads(threads)


@contextlib.contextmanager
def memory_errors(device: torch.device) -> Iterator[None]:
    """Tells a lack of memory, on whatever device, from other errors.

    Raises:
        OutOfMemoryError: the device's memory does not suffice.
    """
    try:
        yield
    except RuntimeError as error:
        if not lacks_memory(error):
            raise
        reason = str(error).partition("\n")[0]
        raise OutOfMemoryError(f"training on {device}: {reason}") from None
