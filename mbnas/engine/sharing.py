"""Objects for other processes of this machine, their arrays in memory that all of them see."""

from __future__ import annotations

import pickle
import shutil
from dataclasses import dataclass
from multiprocessing.shared_memory import SharedMemory
from pathlib import Path
from typing import Any

from mbnas.engine.interrupts import held_interrupts
from mbnas.errors import StudyError

_ALIGNED = 64
_PLACE = Path("/dev/shm")


@dataclass(frozen=True, slots=True)
class SharedCopy:
    """What another process makes the object of, without a copy of its arrays.

    Attributes:
        content: The object, pickled but for its arrays.
        arrays: Offset and length of each array in the shared memory.
        memory: Their memory.
    """

    content: bytes
    arrays: tuple[tuple[int, int], ...]
    memory: SharedMemory

    @classmethod
    def of(cls, thing: object) -> SharedCopy:
        """Puts an object's arrays into shared memory.

        Raises:
            StudyError: it cannot be sent to another process, or there is no room for it.
        """
        buffers: list[pickle.PickleBuffer] = []
        try:
            content = pickle.dumps(thing, protocol=5, buffer_callback=buffers.append)
        except (pickle.PicklingError, TypeError, AttributeError) as error:
            name = type(thing).__name__
            raise StudyError(
                f"{name}: cannot be sent to another process ({error}); use engine local"
            ) from None
        parts = [buffer.raw() for buffer in buffers]
        arrays, end = [], 0
        for part in parts:
            arrays.append((end, part.nbytes))
            end += -(-part.nbytes // _ALIGNED) * _ALIGNED
        _check_room(end)
        with held_interrupts():  # it may start Python's resource tracker
            memory = SharedMemory(create=True, size=max(1, end))
        whole = _bytes(memory)
        for (at, length), part in zip(arrays, parts, strict=True):
            whole[at : at + length] = part
        return cls(content, tuple(arrays), memory)

    def open(self) -> Any:
        """The object, in the process that this was sent to; its arrays cannot be written to."""
        whole = _bytes(self.memory).toreadonly()
        return pickle.loads(
            self.content, buffers=[whole[at : at + length] for at, length in self.arrays]
        )

    def close(self) -> None:
        """Gives the memory back; for the process that made it, once the others have ended."""
        self.memory.close()
        self.memory.unlink()


def _check_room(wanted: int) -> None:
    """Refuses what has no room: the system ends a process that writes to memory it has not."""
    if not _PLACE.is_dir():
        return
    free = shutil.disk_usage(_PLACE).free
    if wanted > free:
        raise StudyError(
            f"the images take {wanted / 2**20:,.0f} MiB of shared memory, and {_PLACE} has"
            f" {free / 2**20:,.0f}: give it more (of a container, --shm-size), or use engine local"
        )


def _bytes(memory: SharedMemory) -> memoryview:
    view = memory.buf
    assert view is not None  # but after `close`
    return view
