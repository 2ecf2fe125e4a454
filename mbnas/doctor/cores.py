"""The cores: how many may be used, how they are clocked, whether threads can be held on them."""

from __future__ import annotations

import contextlib
import os
import platform
from collections import Counter
from pathlib import Path

import psutil

from mbnas.doctor.finding import Finding, fault, note, well
from mbnas.doctor.limits import cpu_quota
from mbnas.measure.cores import core_groups, pinning, usable_cores, with_hyperthreads
from mbnas.measure.host import this_host

PROCESSORS = Path("/sys/devices/system/cpu")
_WHOLE_CORES = "give the container whole cores, by number: --cpuset-cpus in place of --cpus"


def cores() -> list[Finding]:
    """How many cores there are, and how many this process may use."""
    usable, there = usable_cores(), os.cpu_count() or 1
    physical = len({frozenset(with_hyperthreads([core])) for core in usable})
    threads = "" if physical == len(usable) else f", hyperthreads of {physical} physical ones"
    said = f"{this_host().cpu}: {len(usable)} of {there} core(s) may be used{threads}"
    found = []
    if physical < 2:
        mend = "none needed; more cores would let a network be measured beside a training on a GPU"
        found.append(note("cores", said, mend))
    else:
        found.append(well("cores", said))
    quota = cpu_quota()
    if quota is not None and quota < len(usable):
        found.append(_short_quota(quota, len(usable)))
    return found


def _short_quota(quota: float, usable: int) -> Finding:
    said = f"a quota of {quota:g} core(s) of time on {usable}: who uses more is halted for moments"
    if quota < 1:
        return fault("cores' quota", f"{said}; no latency can be relied on", _WHOLE_CORES)
    return note("cores' quota", f"{said}, and latencies grow noisy", _WHOLE_CORES)


def clock() -> list[Finding]:
    """What sets the cores' frequency: governor, turbo, and a laptop's battery."""
    return [found for found in (_governor(), _turbo(), _battery()) if found is not None]


def _governor() -> Finding:
    what = "governor"
    found = Counter(
        text
        for core in usable_cores()
        if (text := _text(PROCESSORS / f"cpu{core}/cpufreq/scaling_governor")) is not None
    )
    if not found:
        why = "a virtual machine or container leaves it to its host"
        if platform.system() != "Linux":
            why = f"{platform.system()} does not tell"
        return note(what, f"cannot be read: {why}")
    said = ", ".join(f"{name} on {count} core(s)" for name, count in found.items())
    if set(found) == {"performance"}:
        return well(what, said)
    mend = "for steadier latencies: sudo cpupower frequency-set -g performance, or"
    files = PROCESSORS / "cpu*/cpufreq/scaling_governor"
    return note(what, said, f"{mend} echo performance | sudo tee {files}")


def _turbo() -> Finding | None:
    for file, off, on in (("intel_pstate/no_turbo", "1", "0"), ("cpufreq/boost", "0", "1")):
        text = _text(PROCESSORS / file)
        if text == off:
            return well("turbo", "off: the frequency does not hang on the heat")
        if text == on:
            mend = f"for steadier latencies: echo {off} | sudo tee {PROCESSORS / file}"
            return note("turbo", "on: cores slow down as they warm up", mend)
    return None


def _battery() -> Finding | None:
    battery = psutil.sensors_battery() if hasattr(psutil, "sensors_battery") else None
    if battery is None or battery.power_plugged is not False:
        return None
    said = f"on battery ({battery.percent:.0f} %): cores are slowed down to save it"
    return note("power", said, "plug in before you measure")


def pinned() -> Finding:
    """Whether a thread can be held on each core, tried."""
    what = "pinning"
    groups = core_groups(1)
    with pinning() as hold:
        held = [group for group in groups if hold(group) and usable_cores() == group]
    if len(held) == len(groups):
        return well(what, f"a thread can be held on each of {len(groups)} core(s)")
    if platform.system() != "Linux":
        said = f"{platform.system()} holds no thread on a core; latencies vary somewhat more"
        return note(what, said)
    said = f"a thread can be held on {len(held)} of {len(groups)} core(s)"
    mend = "let the container call sched_setaffinity (its seccomp profile forbids it)"
    return note(what, f"{said}; latencies vary more", mend)


def _text(file: Path) -> str | None:
    with contextlib.suppress(OSError):
        return file.read_text().strip() or None
    return None
