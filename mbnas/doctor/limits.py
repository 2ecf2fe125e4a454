"""What a container may use of its machine, by Linux's control groups, versions 1 and 2."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import psutil

OWN_GROUPS = Path("/proc/self/cgroup")
MOUNTED = Path("/sys/fs/cgroup")


def cpu_quota() -> float | None:
    """How many cores' worth of time this process gets at most; None where nothing bounds it."""
    found = [quota for folder in _folders("cpu") if (quota := _quota(folder)) is not None]
    return min(found, default=None)


def available_bytes() -> float:
    """Memory that may still be taken here: the machine's, or what the container leaves."""
    left = [room for folder in _folders("memory") if (room := _room(folder)) is not None]
    return min([float(psutil.virtual_memory().available), *left])


def _folders(controller: str) -> Iterator[Path]:
    """The group of this process, and those that hold it: each may set a limit."""
    try:
        lines = OWN_GROUPS.read_text().splitlines()
    except OSError:  # not Linux
        return
    for line in lines:
        _, names, path = line.split(":", 2)
        if names and controller not in names.split(","):
            continue
        roots = [MOUNTED / names, MOUNTED / controller] if names else [MOUNTED]
        # From inside a container the path may be one of the host's; its end is what is mounted.
        root = next((root for root in roots if root.is_dir()), MOUNTED)
        folder = root / path.lstrip("/")
        yield from (one for one in (folder, *folder.parents) if one.is_relative_to(root))


def _quota(folder: Path) -> float | None:
    with contextlib.suppress(OSError, ValueError):
        quota, period = (folder / "cpu.max").read_text().split()
        return None if quota == "max" else int(quota) / int(period)
    with contextlib.suppress(OSError, ValueError):
        micros = int((folder / "cpu.cfs_quota_us").read_text())
        return None if micros < 0 else micros / int((folder / "cpu.cfs_period_us").read_text())
    return None


def _room(folder: Path) -> float | None:
    for most, now, given_back in (
        ("memory.max", "memory.current", "inactive_file"),
        ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
    ):
        with contextlib.suppress(OSError, ValueError):
            limit = int((folder / most).read_text())  # "max" is no number
            used = int((folder / now).read_text())
            return float(limit - used + _statistic(folder / "memory.stat", given_back))
    return None


def _statistic(file: Path, name: str) -> int:
    for line in file.read_text().splitlines():
        key, _, value = line.partition(" ")
        if key == name:
            return int(value)
    return 0
