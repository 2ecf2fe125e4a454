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
_DEVICES = Path("/sys/devices")
_TOPOLOGY = "/sys/devices/system/cpu/cpu{core}/topology/thread_siblings_list"
ALIKE = 0.9
"""Share of the greatest capacity from which on a core is one of the fast ones: firmware gives cores
of one kind capacities that differ by some per cent."""
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

    Where some are faster by their make, these alone, or a latency would hang on where a thread
    lands. If a network has more threads than these are, the others follow, the fastest first.
    The hyperthreads of one core come last: two of them are not two cores.
    """
    cores = usable_cores()[::-1]  # the first core gets most of a system's own work
    cores.sort(key=_hyperthread)
    capacity = _capacities()
    own = {core: capacity.get(core, 0) for core in cores}
    fast = [core for core in cores if own[core] >= ALIKE * max(own.values())]
    cores = fast if len(fast) >= threads else sorted(cores, key=lambda core: -own[core])
    groups = [cores[at : at + threads] for at in range(0, len(cores) - threads + 1, threads)]
    return groups or [cores]


def kind_of_cores(threads: int) -> str | None:
    """Which of the machine's cores a network is timed on: `fast cores`, `slow cores`, or both.

    None where all are alike, or the system does not tell.
    """
    capacity = _capacities()
    least = ALIKE * max(capacity.values(), default=0)
    if all(one >= least for one in capacity.values()):
        return None
    group = core_groups(threads)[0]
    kinds = {"fast" if capacity.get(core, 0) >= least else "slow" for core in group}
    return f"{' and '.join(sorted(kinds))} cores"


def reserved_cores(threads: int) -> list[int]:
    """Cores to leave to measuring beside a training that needs few: a quarter of those to time on.

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
    return _listed(Path(_TOPOLOGY.format(core=core))) or [core]


def _capacities() -> dict[int, int]:
    """How much each core can do by its make, against the others; nothing if that is not told.

    Not from the greatest frequencies: some processors boost their best cores further than others
    of the same make, and some drivers overstate by how much.
    """
    # Intel's hybrid processors have one device for the events of each kind of core.
    fast = _listed(_DEVICES / "cpu_core/cpus")
    if fast:
        return {**dict.fromkeys(_listed(_DEVICES / "cpu_atom/cpus"), 0), **dict.fromkeys(fast, 1)}
    capacities = {}
    for file in (_DEVICES / "system/cpu").glob("cpu[0-9]*/cpu_capacity"):  # ARM
        with contextlib.suppress(OSError):  # Android may forbid it
            capacities[int(file.parent.name.removeprefix("cpu"))] = int(file.read_text())
    return capacities


def _listed(file: Path) -> list[int]:
    """The cores in a file of the system, such as `0-3,8`; none where it cannot be read."""
    try:
        text = file.read_text().strip()
    except OSError:
        return []
    cores: list[int] = []
    for part in text.split(",") if text else []:
        first, _, last = part.partition("-")
        cores += range(int(first), int(last or first) + 1)
    return cores
