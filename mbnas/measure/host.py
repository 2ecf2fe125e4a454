"""The machine that measures, and how it is told from others."""

from __future__ import annotations

import hashlib
import os
import platform
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path

from mbnas.measure.cores import kind_of_cores


@dataclass(frozen=True, slots=True)
class Host:
    """What a latency depends on beside the network.

    Attributes:
        cpu: The processor's name; where its cores differ in speed, also which are timed on.
        cores: Cores of the machine, whether this process may use them or not.
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

    @property
    def fingerprint(self) -> str:
        """Short and the same wherever latencies may be compared."""
        text = "|".join(f"{key}={value}" for key, value in sorted(asdict(self).items()))
        return hashlib.sha256(text.encode()).hexdigest()[:12]


def this_host(threads: int = 1) -> Host:
    """The machine on which this runs."""
    kind = kind_of_cores(threads)
    return Host(
        cpu=_cpu_name() if kind is None else f"{_cpu_name()} ({kind})",
        cores=os.cpu_count() or 1,
        threads=threads,
        onnxruntime=version("onnxruntime"),
        governor=_first_line(Path("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor")),
        system=f"{platform.system()} {platform.machine()}",
    )


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
