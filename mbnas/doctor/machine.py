"""The machine at this moment: its memory, who else works on it, how quiet it is."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
import time
from typing import Any

import psutil

from mbnas.doctor.apart import ApartError, apart
from mbnas.doctor.finding import Finding, fault, gib, note, well
from mbnas.doctor.limits import available_bytes
from mbnas.measure.host import this_host
from mbnas.measure.latency import OrtLatencyMeter
from mbnas.measure.memory import cache_folder, recall_pace
from mbnas.measure.timing import UNDISTURBED
from mbnas.network import reference

NEEDED_BYTES = int(1.2 * 2**30)
"""What a process that trains and measures small networks takes: 1.1 GiB on the digits."""
EASY_BYTES = 3 * NEEDED_BYTES
WATCHED_SECONDS = 0.6
BUSY_CORES = 0.3
"""Work of others, in cores, that is worth knowing of."""
STOLEN = 0.02
MEASURING_SECONDS = 12.0
"""A machine never seen before takes 4 s, others 1 s; busy ones up to 2.5 times that."""
_CLOSE_OTHERS = "close other programs, or give mbnas cores of its own (taskset, a cpuset)"


def memory() -> Finding:
    """Whether there is memory for a search."""
    free, all_ = available_bytes(), float(psutil.virtual_memory().total)
    said = f"{gib(free)} of {gib(all_)} free; a search needs about {gib(NEEDED_BYTES)} a process"
    mend = "close other programs, or give the container more"
    if free < NEEDED_BYTES:
        return fault("memory", said, mend)
    return note("memory", said, mend) if free < EASY_BYTES else well("memory", said)


def load() -> Finding:
    """How much of the cores others take just now, and who."""
    before, start = _cpu_seconds(), psutil.cpu_times()
    time.sleep(WATCHED_SECONDS)
    end, after = psutil.cpu_times(), _cpu_seconds()
    shares = {
        name: (seconds - before[key][1]) / WATCHED_SECONDS
        for key, (name, seconds) in after.items()
        if key in before
    }
    busy = (_busy_seconds(end) - _busy_seconds(start)) / WATCHED_SECONDS
    stolen = getattr(end, "steal", 0.0) - getattr(start, "steal", 0.0)
    said = f"others use {busy:.1f} of {psutil.cpu_count() or 1} core(s)"
    if (most := max(shares, key=lambda name: shares[name], default=None)) and shares[most] > 0.1:
        said += f", most of it {most}"
    if stolen > STOLEN * WATCHED_SECONDS * (psutil.cpu_count() or 1):
        return note("load", f"{said}; other virtual machines take time from these", _CLOSE_OTHERS)
    return note("load", said, _CLOSE_OTHERS) if busy > BUSY_CORES else well("load", said)


def _cpu_seconds() -> dict[tuple[int, float], tuple[str, float]]:
    """Name and CPU time so far of every process but this one."""
    found = {}
    own = psutil.Process().pid
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if process.pid != own:
                times = process.cpu_times()
                named = f"{process.name()} (process {process.pid})"
                found[process.pid, process.create_time()] = (named, times.user + times.system)
    return found


def _busy_seconds(times: Any) -> float:
    idle = times.idle + getattr(times, "iowait", 0.0) + getattr(times, "steal", 0.0)
    # What a guest takes stands in user time already.
    guest = getattr(times, "guest", 0.0) + getattr(times, "guest_nice", 0.0)
    return float(sum(times) - idle - guest)


def known() -> Finding:
    """Whether mbnas has measured here before, and where it keeps what it learnt."""
    host, folder = this_host().fingerprint, cache_folder()
    calibrations = len(list((folder / "calibrations").glob(f"*-{host}.json")))
    pace = recall_pace(host)
    if pace is None:
        said = f"not known yet: the first measurement takes 3 s more (kept in {folder})"
        return note("known machine", said)
    said = f"since {pace.learnt:%Y-%m-%d}, {calibrations} calibration(s), in {folder}"
    return well("known machine", said)


def quiet() -> Finding:
    """How quiet the machine is, by one measurement."""
    what = "quiet"
    with tempfile.TemporaryDirectory(prefix="mbnas-doctor-") as folder:
        with contextlib.suppress(OSError):  # never measured here
            shutil.copy(cache_folder() / "pace.json", folder)
        try:
            # What it learns of the machine at such a moment is not to be kept.
            told = apart(measured, seconds=MEASURING_SECONDS, environment={"MBNAS_CACHE": folder})
        except ApartError as error:
            if "no answer" not in str(error):
                mend = "see the findings on packages; does mbnas bench mobilenet_v2 work?"
                return fault(what, f"nothing can be measured ({error})", mend)
            said = f"{error}: another mbnas trains or measures on these cores, or they are slow"
            return note(what, said, "ask again when it has ended")
    pace = f"the machine's pace is {told['slowdown']:.2f} times its best"
    said = f"{told['latency_ms']:.2f} ms for a small network, median {told['p50_ms']:.2f}; {pace}"
    if told["noisy"] or told["slowdown"] > UNDISTURBED:
        noisy = "noisy" if told["noisy"] else "disturbed, and still measured well"
        return note(what, f"{noisy}: {said}", _CLOSE_OTHERS)
    return well(what, said)


def measured() -> dict[str, Any]:
    """What one small network takes here."""
    network = reference("mobilenet_v2", 32, width_multiplier=0.5, small=True)
    (latency,) = OrtLatencyMeter().measure([network], classes=10)
    names = ("latency_ms", "p50_ms", "noisy", "slowdown")
    return {name: getattr(latency, name) for name in names}
