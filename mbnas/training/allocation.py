"""Memory that is kept between the steps of a training on the CPU.

The C library of most Linux systems gives every block of more than 32 MiB back to the kernel as soon
as it is freed, and gets it anew, page by page and zeroed, for the next layer. Training asks for the
same blocks at every step. What keeping them brings depends on the network, from nothing to a sixth
of the time (`scripts/bench_training.py` measures it); the most memory that is held at once stays
the same. Only the main thread's memory can be kept so: the others have heaps that hold no large
blocks.
"""

from __future__ import annotations

import contextlib
import ctypes
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field

# <malloc.h>
_TRIM_THRESHOLD, _MMAP_THRESHOLD, _MMAP_MAX = -1, -3, -4
_MOST = 2**31 - 1
# Where the library's own, growing thresholds end; once set, they grow no more.
_USUAL = {_MMAP_MAX: 65536, _MMAP_THRESHOLD: 32 * 2**20, _TRIM_THRESHOLD: 64 * 2**20}


@dataclass(slots=True)
class _Keeping:
    """How many trainings of this process want memory kept."""

    trainings: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)


_KEEPING = _Keeping()


@contextlib.contextmanager
def kept_memory() -> Iterator[None]:
    """Inside, freed memory stays with the main thread; after the last one it is given back."""
    library = _c_library()
    if library is None or threading.current_thread() is not threading.main_thread():
        yield
        return
    with _KEEPING.lock:
        _KEEPING.trainings += 1
        library.mallopt(_MMAP_MAX, 0)
        library.mallopt(_TRIM_THRESHOLD, _MOST)
    try:
        yield
    finally:
        with _KEEPING.lock:
            _KEEPING.trainings -= 1
            if not _KEEPING.trainings:
                for parameter, value in _USUAL.items():
                    library.mallopt(parameter, value)
                library.malloc_trim(0)


def _c_library() -> ctypes.CDLL | None:
    """The GNU C library, where this process uses it."""
    if not sys.platform.startswith("linux"):
        return None
    library = ctypes.CDLL(None)
    needed = ("gnu_get_libc_version", "mallopt", "malloc_trim")
    return library if all(hasattr(library, name) for name in needed) else None
