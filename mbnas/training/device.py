"""The device that trains: which, what it is good at, and how it says that its memory is full."""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch

from mbnas.errors import BuildError, MbnasError
from mbnas.training.recipe import Precision
from mbnas.training.trainer import OutOfMemoryError

NO_MEMORY = (
    "DefaultCPUAllocator",
    "CUDA error: out of memory",
    "HIP error: out of memory",
    "Triton Error [CUDA]: out of memory",
    "Triton Error [HIP]: out of memory",
    "CUBLAS_STATUS_ALLOC_FAILED",
    "CUBLAS_STATUS_NOT_INITIALIZED",
    "CUDNN_STATUS_ALLOC_FAILED",
    "CUDNN_STATUS_NOT_INITIALIZED",
    "_ALLOCATION_FAILED",
)
"""What names a lack of memory in errors of torch and Triton that have no type of their own. The
libraries' handles are not initialised where these find none, and cuDNN 9 tells whose allocation
failed."""


_TURN = threading.Lock()


def turn(device: torch.device) -> contextlib.AbstractContextManager[Any]:
    """Held while work is handed to the device: on a GPU by one thread of the process at a time.

    A capture of a CUDA graph must not meet another one half way, whoever's it is. Replays need no
    turn.
    """
    return _TURN if device.type == "cuda" else contextlib.nullcontext()


_FREE_STREAMS: dict[int, list[torch.cuda.Stream]] = {}


@contextlib.contextmanager
def own_stream(device: torch.device) -> Iterator[None]:
    """A stream of a GPU that no other training of the process has meanwhile.

    torch gives 32 out in turns: a training that lasts would find another one in its own.
    """
    index = torch.cuda.current_device() if device.index is None else device.index
    free = _FREE_STREAMS.setdefault(index, [])
    try:
        stream = free.pop()
    except IndexError:
        stream = torch.cuda.Stream(index)  # type: ignore[no-untyped-call]
    with torch.cuda.device(index), torch.cuda.stream(stream):
        try:
            yield
        except MbnasError:  # told between two steps; others may come in the middle of a capture
            free.append(stream)
            raise
    free.append(stream)


def choose_device(name: str | None) -> torch.device:
    """The named device, or a GPU where there is one, else the CPU.

    Raises:
        BuildError: the named device is not there.
        OutOfMemoryError: it is, and its memory is full.
    """
    if name is None:
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:
        reason = str(error).partition("\n")[0]
        if lacks_memory(error):
            raise OutOfMemoryError(f"device {name}: {reason}") from None
        raise BuildError(f'device "{name}": not to be had here ({reason}); try cpu') from None
    if device.type not in ("cpu", "cuda"):
        raise BuildError(f'device "{name}": not to be trained on; try cpu, or cuda')
    return device


def lacks_memory(error: BaseException | None) -> bool:
    """Whether an error, or one that it came of, is a lack of memory."""
    if error is None:
        return False
    named = any(words in str(error) for words in NO_MEMORY)
    return named or isinstance(error, torch.OutOfMemoryError) or lacks_memory(error.__context__)


def usual_precision(asked: Precision, device: torch.device) -> Precision:
    """The precision asked for; of `auto`, what the device is sure to gain by."""
    if asked != "auto":
        return asked
    return "bfloat16" if device.type == "cuda" and _have_bfloat16(device) else "float32"


def _have_bfloat16(device: torch.device) -> bool:
    """Whether a GPU computes in bfloat16 by itself; where none is named, whether all do."""
    if not torch.cuda.is_available():
        return False
    every = range(torch.cuda.device_count()) if device.index is None else [device.index]
    for index in every:
        with torch.cuda.device(index):
            if not torch.cuda.is_bf16_supported(including_emulation=False):
                return False
    return True


def free_bytes(device: torch.device) -> float:
    """Memory of the device that is free just now."""
    if device.type == "cuda":
        return float(torch.cuda.mem_get_info(device)[0])
    with contextlib.suppress(OSError, StopIteration, ValueError):
        # What the page cache holds is free as well: decoding has just filled it.
        lines = Path("/proc/meminfo").read_text().splitlines()
        return next(1024.0 * int(one.split()[1]) for one in lines if one.startswith("MemAvailable"))
    try:
        return float(os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
    except (AttributeError, ValueError, OSError):  # not every system tells
        return 4e9
