"""Bad input of every kind, by the thousand: what is accepted, what is refused, what goes wrong.

Each case is made from the seed and its number alone, in a process that a watchdog ends when it
hangs. A fault is any error but an `MbnasError` of one line that names its file, a hang, or a
process that dies; of each, a small file that has it is kept in a temporary folder.
"""

from __future__ import annotations

import argparse
import collections
import json
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT / "tests"))  # its strategies; workers inherit it

from fuzzing import pool  # noqa: E402
from fuzzing.judge import Fault  # noqa: E402

from mbnas.files import write_atomically  # noqa: E402
from mbnas.search.record import package_versions  # noqa: E402

KINDS = {
    "spaces": ("fuzzing.texts.Spaces", 20.0),
    "recipes": ("fuzzing.texts.Recipes", 20.0),
    "architectures": ("fuzzing.texts.Architectures", 30.0),
    "studies": ("fuzzing.studies.Studies", 120.0),
    "checkpoints": ("fuzzing.binaries.Checkpoints", 60.0),
    "images": ("fuzzing.binaries.Images", 60.0),
    "networks": ("fuzzing.binaries.Networks", 60.0),
    "requests": ("fuzzing.asked.Requests", 60.0),
    "commands": ("fuzzing.commands.Commands", 300.0),
}
"""Kinds of input, and after how many seconds a case hangs."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name in KINDS:
        parser.add_argument(f"--{name}", type=int, default=0, metavar="CASES")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--minutes", type=float, default=600.0, help="of each kind, at most")
    parser.add_argument("--out", type=Path, help="a JSON file of the figures; kinds are added")
    arguments = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="mbnas-fuzz-"))
    faults = folder / "faults"
    faults.mkdir()
    print(f"faults are kept in {faults}")
    for name, (kind, seconds) in KINDS.items():
        if cases := getattr(arguments, name):
            job = pool.Job(kind, folder / name, faults, arguments.seed, seconds)
            found = figures(job, cases, arguments.workers, 60 * arguments.minutes)
            print(line(name, found), flush=True)
            if arguments.out:
                add(arguments.out, name, found)


def figures(job: pool.Job, cases: int, workers: int, seconds: float) -> dict[str, Any]:
    """Runs the cases of a kind and counts what they come to."""
    start = time.monotonic()
    job.shared.mkdir()
    statuses: collections.Counter[str] = collections.Counter()
    done: collections.Counter[str] = collections.Counter()
    times: collections.Counter[str] = collections.Counter()
    files: dict[str, Fault] = {}
    for at, result in enumerate(pool.run(job, cases, workers, seconds), start=1):
        statuses[result.status] += 1
        done.update(result.done)
        if result.fault is not None:
            times[result.fault.name] += 1
            if result.fault.name not in files:
                files[result.fault.name] = result.fault
                print(f"  {result.number}: {result.fault.name} ({result.fault.file})", flush=True)
        if at % 1000 == 0:
            print(f"  {at:,} {dict(statuses)}", file=sys.stderr, flush=True)
    return {
        "cases": statuses.total(),
        **{key: statuses[key] for key in ("accepted", "refused", "fault", "hang", "crash")},
        "done": dict(sorted(done.items())),
        "faults": [
            {"fault": name, "cases": count, "file": files[name].file}
            for name, count in times.most_common()
        ],
        "seconds_per_case_at_most": job.seconds,
        "workers": workers,
        "seed": job.seed,
        "seconds": round(time.monotonic() - start, 1),
        "versions": package_versions(),
    }


def line(name: str, found: dict[str, Any]) -> str:
    counts = "  ".join(
        f"{found[key]:>8,} {key}" for key in ("cases", "accepted", "refused", "fault")
    )
    ends = f"{found['hang']} hangs  {found['crash']} crashes  {found['seconds']:,.0f} s"
    return f"{name:<14}{counts}  {ends}"


def add(out: Path, name: str, found: dict[str, Any]) -> None:
    """Puts a kind's figures beside those of others in a file."""
    kinds = json.loads(out.read_text())["kinds"] if out.exists() else {}
    out.parent.mkdir(parents=True, exist_ok=True)
    table = {"what": __doc__.splitlines()[0], "kinds": {**kinds, name: found}}
    write_atomically(out, (json.dumps(table, indent=2) + "\n").encode())


if __name__ == "__main__":
    main()
