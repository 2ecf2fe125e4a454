"""This machine's cores: which to time on, and who may use them when.

Any number of trainings may share the cores, up to one a core; a measurement has them alone. Both
take seats, each a lock file of the whole machine: a training takes one, a measurement all.
"""

from __future__ import annotations

import contextlib
import os
import platform
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from filelock import FileLock, Timeout

_LINUX = platform.system() == "Linux"  # elsewhere a thread cannot be held on a core
_TOPOLOGY = "/sys/devices/system/cpu/cpu{core}/topology/thread_siblings_list"
SEATS = max(8, os.cpu_count() or 1)
"""Trainings on this machine's cores at once; more would only slow each other down."""
PATIENCE_SECONDS = 2.0


def usable_cores() -> list[int]:
    """Numbers of the cores that this thread may run on."""
    if _LINUX:
        return sorted(os.sched_getaffinity(0))
    return list(range(os.cpu_count() or 1))


def core_groups(threads: int) -> list[list[int]]:
    """The usable cores in groups of as many as a network has threads; at least one group.

    The hyperthreads of one core come last: two of them are not two cores.
    """
    cores = usable_cores()[::-1]  # the first core gets most of a system's own work
    cores.sort(key=_hyperthread)
    groups = [cores[at : at + threads] for at in range(0, len(cores) - threads + 1, threads)]
    return groups or [cores]


def reserved_cores(threads: int) -> list[int]:
    """Cores to leave to measuring beside a training that needs few: a quarter of them.

    None where they would be all, or where threads cannot be held.
    """
    groups = core_groups(threads)
    if not _LINUX or len(groups) < 2:
        return []
    return [core for group in groups[: max(1, len(groups) // 4)] for core in group]


def keep_to(cores: list[int]) -> None:
    """Holds every thread of this process, and those they start, on some cores."""
    for task in Path("/proc/self/task").iterdir():
        with contextlib.suppress(OSError):  # a thread that has just ended, or a container's no
            os.sched_setaffinity(int(task.name), cores)


def with_hyperthreads(cores: list[int]) -> set[int]:
    """Some cores, and the hyperthreads that share them."""
    return {sibling for core in cores for sibling in _siblings(core)}


@contextlib.contextmanager
def pinning() -> Iterator[Callable[[list[int]], bool]]:
    """Inside, a function that holds the calling thread on some cores and says whether it could.

    Other threads of the process stay where they are; at the end so does the calling one, on all
    cores that it had.
    """
    cores = usable_cores()

    def hold(wanted: list[int]) -> bool:
        if not _LINUX:
            return False
        try:
            os.sched_setaffinity(0, wanted)
        except OSError:  # a container may forbid it
            return False
        return True

    try:
        yield hold
    finally:
        hold(cores)


class CoreLock:
    """This machine's cores, shared by trainings and taken whole by a measurement.

    Args:
        folder: Where the lock files lie; by default the system's temporary folder, so that all
            processes of the machine meet there.
        on_wait: Called once when a wait has lasted two seconds.
    """

    def __init__(
        self, folder: Path | None = None, on_wait: Callable[[], None] = lambda: None
    ) -> None:
        place = folder or Path(tempfile.gettempdir())
        # The next to measure keeps newcomers out until it has all seats.
        self._gate = FileLock(place / "mbnas-cores.lock", mode=0o666)
        seats = [place / f"mbnas-cores-{at}.lock" for at in range(SEATS)]
        self._seats = [FileLock(seat, mode=0o666) for seat in seats]
        self._on_wait = on_wait

    @contextlib.contextmanager
    def alone(self) -> Iterator[None]:
        """For a measurement: waits until all trainings pause, and keeps others waiting."""
        with contextlib.ExitStack() as held:
            for lock in (self._gate, *self._seats):
                self._acquire(lock)
                held.callback(lock.release)
            yield

    @contextlib.contextmanager
    def shared(self) -> Iterator[Callable[[], None]]:
        """For a training on these cores; inside, a function that lets a measurement in between."""
        seat = self._sit()
        try:

            def pause() -> None:
                nonlocal seat
                seat.release()
                seat = self._sit()

            yield pause
        finally:
            seat.release()

    def _sit(self) -> FileLock:
        """Any free seat, once no measurement waits."""
        self._acquire(self._gate)
        try:
            for seat in self._seats:
                with contextlib.suppress(Timeout):
                    seat.acquire(timeout=0)
                    return seat
            self._acquire(self._seats[0])
            return self._seats[0]
        finally:
            self._gate.release()

    def _acquire(self, lock: FileLock) -> None:
        try:
            lock.acquire(timeout=PATIENCE_SECONDS)
        except Timeout:
            self._on_wait()
            lock.acquire()


def _hyperthread(core: int) -> int:
    """0 for the first thread of a physical core, 1 for its second."""
    return _siblings(core).index(core)


def _siblings(core: int) -> list[int]:
    """The hyperthreads of a core, itself included."""
    try:
        text = Path(_TOPOLOGY.format(core=core)).read_text()
    except OSError:
        return [core]
    siblings: list[int] = []
    for part in text.strip().split(","):
        first, _, last = part.partition("-")
        siblings += range(int(first), int(last or first) + 1)
    return siblings
