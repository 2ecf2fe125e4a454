"""The machine that measures: what it is, and a thread held on its cores."""

from __future__ import annotations

import contextlib
import os
import platform
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

_LINUX = platform.system() == "Linux"  # elsewhere a thread cannot be held on a core


@dataclass(frozen=True, slots=True)
class Host:
    """What a latency depends on beside the network.

    Attributes:
        cpu: The processor's name.
        cores: Cores that this process may use.
        threads: Threads that a measured network uses.
        onnxruntime: Version of ONNX Runtime.
        governor: The first core's frequency governor; None where it cannot be read.
        system: Operating system and machine, `Linux x86_64`.
    """

    cpu: str
    cores: int
    threads: int
    onnxruntime: str
    governor: str | None
    system: str


def this_host(threads: int = 1) -> Host:
    """The machine on which this runs."""
    return Host(
        cpu=_cpu_name(),
        cores=len(usable_cores()),
        threads=threads,
        onnxruntime=version("onnxruntime"),
        governor=_first_line(Path("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor")),
        system=f"{platform.system()} {platform.machine()}",
    )


def usable_cores() -> list[int]:
    """Numbers of the cores that this thread may run on."""
    if _LINUX:
        return sorted(os.sched_getaffinity(0))
    return list(range(os.cpu_count() or 1))


@contextlib.contextmanager
def pinned(threads: int) -> Iterator[bool]:
    """Holds the calling thread, and threads it starts, on as many cores; says whether it could.

    Other threads of the process stay where they are.
    """
    cores = usable_cores()
    if not _LINUX or len(cores) < threads:
        yield False
        return
    try:
        os.sched_setaffinity(0, cores[-threads:])
    except OSError:  # a container may forbid it
        yield False
        return
    try:
        yield True
    finally:
        os.sched_setaffinity(0, cores)


def _cpu_name() -> str:
    try:
        text = Path("/proc/cpuinfo").read_text()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.partition(":")[2].strip() for line in text.splitlines() if "model name" in line]
    return names[0] if names else platform.machine()


def _first_line(path: Path) -> str | None:
    try:
        return path.read_text().strip() or None
    except OSError:
        return None
