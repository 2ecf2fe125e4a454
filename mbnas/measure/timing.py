"""Timing ONNX files: bursts of runs, each between two looks at the machine's pace.

The protocol was found by experiment (`scripts/bench_latency.py`). On a shared machine a core runs
at two speeds, up to 1.7 times apart, for some milliseconds to seconds each; a low quantile of all
runs says only whether fast moments were among them. Here a run counts as undisturbed when the
pace network ran at its best speed just before and just after, and when the thread kept its core
meanwhile. Slow moments are spent on looking for a fast core, not on timing.

What the small pace network does not feel, the caches and the memory that others fill, drifts
over minutes. A reference network as large as those of interest takes its turns for that.
"""

from __future__ import annotations

import contextlib
import gc
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import onnxruntime

from mbnas.measure.cores import core_groups, pinning
from mbnas.measure.onnx_file import to_onnx
from mbnas.measure.pace import Pace
from mbnas.measure.session import noise_for, open_session, run_session
from mbnas.network import reference

UNDISTURBED = 1.15
"""Slowdown of the pace network up to which the core counts as undisturbed: between its two speeds
lies a gap from about 1.1 to 1.4."""
DESCHEDULED = 1.05
"""Wall time over CPU time of a run above which the thread lost its core."""
SLEEP_SECONDS = 0.004
SHUN_SECONDS = 0.5
SEEK_SECONDS = 0.02
BURST_SECONDS = 0.003
MIN_BURSTS = 5
PATIENCE = 2.5
SESSIONS = 3
"""Times the file is opened: where its memory comes to lie moves a latency by 2 % or so."""
BURSTS_A_SESSION = 3
REFERENCE_BURSTS = 60
"""Latest bursts of the reference network that speak for now."""
LATELY_SECONDS = 600.0
"""Age from which they no longer do: networks may be trained for hours between two timings."""


@dataclass(frozen=True, slots=True)
class Burst:
    """Some runs in a row.

    Attributes:
        wall_ms: Times by the clock.
        cpu_ms: The thread's own CPU times; the same as `wall_ms` where it is not alone.
        slowdown: The greater of the pace network's slowdowns before and after.
        descheduled: Whether the thread lost its core meanwhile.
    """

    wall_ms: tuple[float, ...]
    cpu_ms: tuple[float, ...]
    slowdown: float
    descheduled: bool

    @property
    def fast(self) -> bool:
        """Whether the core was fast, the thread's own or not."""
        return self.slowdown <= UNDISTURBED

    @property
    def undisturbed(self) -> bool:
        """Whether the core was fast and the thread's own."""
        return self.fast and not self.descheduled


@dataclass(frozen=True, slots=True)
class Timing:
    """All bursts of one file, in their order, and the reference network's.

    Attributes:
        bursts: Of the file.
        alongside: Of the reference network, in turns with the file's.
        lately: Its latest ones, those of timings in the last ten minutes included.
    """

    bursts: tuple[Burst, ...]
    alongside: tuple[Burst, ...]
    lately: tuple[Burst, ...]


class Timer:
    """Times ONNX files on the cores that this process may use.

    Args:
        threads: Threads of a network.
        pace_ms: The pace network's best time as known from earlier.
    """

    def __init__(self, threads: int, pace_ms: float | None = None) -> None:
        groups = core_groups(threads)
        # A session's own threads stay where they were made, so only a single thread can move.
        self._groups = groups if threads == 1 else groups[:1]
        self.threads = threads
        self.core = 0
        self.pinned = False
        # The thread's own time leaves out what others ran meanwhile; it says nothing of helpers.
        fine = time.get_clock_info("thread_time").resolution <= 1e-6
        self.cpu_ns = time.thread_time_ns if threads == 1 and fine else time.perf_counter_ns
        self.warm: object = None
        self.lost_core = False
        self._lost_at = [-SHUN_SECONDS] * len(self._groups)
        with pinning() as hold:
            hold(self._groups[0])
            self.pace = Pace(threads, self.cpu_ns, pace_ms)
            self._reference = _Runner(reference_file(), self)
        self._latest: deque[tuple[float, Burst]] = deque(maxlen=REFERENCE_BURSTS)

    @property
    def reference_bursts(self) -> tuple[Burst, ...]:
        """The reference network's latest, however old: they tell what the machine can do."""
        return tuple(burst for _, burst in self._latest)

    def time(
        self,
        files: Sequence[bytes],
        seconds: float,
        enough: Callable[[Sequence[Burst], bool], bool] = lambda _, late: late,
    ) -> list[Timing]:
        """Times some files in turns, each until it is enough.

        Args:
            files: The networks, each with one input.
            seconds: Time for each file, opening it included.
            enough: Says of a file's bursts so far, and of whether the time is spent, if they
                suffice. After `PATIENCE` times that time it ends in any case.

        Raises:
            MeasureError: a file cannot be run.
        """
        start = time.perf_counter()
        deadline = start + seconds * len(files)
        last = start + PATIENCE * seconds * len(files)
        with pinning() as hold, _no_garbage_collection():
            self._hold = hold
            self.warm = None
            self.pinned = hold(self._groups[self.core])
            runners = [_Runner(content, self) for content in files]
            waiting = list(runners)
            alongside: list[Burst] = []
            rounds = 0
            while waiting:
                for runner in waiting:
                    runner.bursts.append(runner.turn())
                if rounds % 2 == 0:
                    alongside.append(self._reference.turn())
                    self._latest.append((time.perf_counter(), alongside[-1]))
                rounds += 1
                now = time.perf_counter()
                waiting = [
                    runner
                    for runner in waiting
                    if len(runner.bursts) < MIN_BURSTS
                    or not (now >= last or enough(runner.bursts, now >= deadline))
                ]
        since = min(start, time.perf_counter() - LATELY_SECONDS)
        lately = tuple(burst for at, burst in self._latest if at >= since)
        return [Timing(tuple(one.bursts), tuple(alongside), lately) for one in runners]

    def watch(self, run: Callable[[], object], runs: int, seconds: float) -> list[bool]:
        """Runs something until so many runs were undisturbed, or for so long.

        Where hardly any were, it goes on for up to `PATIENCE` times as long.

        Returns:
            Of every run in order, whether it was undisturbed.
        """
        kept: list[bool] = []
        start = time.perf_counter()
        with pinning() as hold, _no_garbage_collection():
            self._hold = hold
            self.pinned = hold(self._groups[self.core])
            while len(kept) < MIN_BURSTS or sum(kept) < runs:
                most = seconds if sum(kept) >= MIN_BURSTS else PATIENCE * seconds
                if len(kept) >= MIN_BURSTS and time.perf_counter() - start > most:
                    break
                before = self.seek()
                run()
                kept.append(max(before, self.pace.slowdown()) <= UNDISTURBED)
        return kept

    def seek(self) -> float:
        """Looks for a fast moment, on whatever core, for a while; the slowdown at its end."""
        end = time.perf_counter() + SEEK_SECONDS
        while (slowdown := self.pace.slowdown()) > UNDISTURBED and time.perf_counter() < end:
            self.move()
        return slowdown

    def move(self) -> bool:
        """Goes to the next core that was not lost to others lately, if there is one."""
        count = len(self._groups)
        earliest = time.perf_counter() - SHUN_SECONDS
        for at in ((self.core + step) % count for step in range(1, count)):
            if self._lost_at[at] < earliest:
                self.core = at
                self._hold(self._groups[at])
                return True
        return False

    def keep_in_mind(self, lost: bool) -> None:
        """Whether the latest burst lost its core."""
        self.lost_core = lost
        if lost:
            self._lost_at[self.core] = time.perf_counter()


class _Runner:
    """One file, opened some times, and its bursts so far."""

    def __init__(self, content: bytes, timer: Timer) -> None:
        self._timer = timer
        self._sessions = [open_session(content, timer.threads) for _ in range(SESSIONS)]
        self._feed = noise_for(self._sessions[0])
        self.bursts: list[Burst] = []
        self._turns = 0
        for session in self._sessions:  # the first run allocates
            run_session(session, self._feed)
        _, cpu_ns = self._run(self._sessions[0])
        self._runs = max(1, round(BURST_SECONDS * 1e9 / max(1, cpu_ns)))

    def turn(self) -> Burst:
        """One burst, at a fast moment if there is one."""
        timer = self._timer
        if timer.lost_core and not timer.move():
            time.sleep(SLEEP_SECONDS)  # whoever has slept is given the core for a while
            timer.warm = None
        session = self._sessions[self._turns // BURSTS_A_SESSION % SESSIONS]
        self._turns += 1
        before = timer.seek()
        if timer.warm != (id(session), timer.core):  # its weights are not in this core's cache
            self._run(session)
            timer.warm = (id(session), timer.core)
            before = timer.pace.slowdown()
        runs = [
            self._run(session)
            for _ in range(max(1, self._runs // 2) if timer.lost_core else self._runs)
        ]
        after = timer.pace.slowdown()
        wall_ns, cpu_ns = zip(*runs, strict=True)
        timer.keep_in_mind(any(wall > DESCHEDULED * cpu for wall, cpu in runs))
        return Burst(
            wall_ms=tuple(ns / 1e6 for ns in wall_ns),
            cpu_ms=tuple(ns / 1e6 for ns in cpu_ns),
            slowdown=max(before, after),
            descheduled=timer.lost_core,
        )

    def _run(self, session: onnxruntime.InferenceSession) -> tuple[int, int]:
        """(wall, CPU) nanoseconds of one run."""
        start = time.perf_counter_ns()
        cpu_start = self._timer.cpu_ns()
        run_session(session, self._feed)
        cpu = self._timer.cpu_ns() - cpu_start
        return time.perf_counter_ns() - start, cpu


def reference_file() -> bytes:
    """MobileNetV2 at 0.75 of its width for small images: the network timed alongside."""
    return to_onnx(reference("mobilenet_v2", 32, width_multiplier=0.75, small=True).lower(10))


@contextlib.contextmanager
def _no_garbage_collection() -> Iterator[None]:
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()
