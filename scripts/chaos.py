"""What a search keeps through kills, full disks and lost hosts, and what mbnas itself costs.

scripts/chaos [--parts driver,workers,...] [--short] [--out studies/published/survival]

Each part runs in a process of its own, for a bounded time, and writes PART.json; survival.md is
made of all of these files that there are.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

PARTS = {
    "driver": 3000,
    "workers": 900,
    "ray": 600,
    "postgresql": 1200,
    "disk": 900,
    "throughput": 1200,
    "overhead": 600,
}
"""The parts, and the seconds after which each is ended, however far it has come."""
OTHERS = ("fuzz",)
"""What another script measures, for the same table."""
SHORT_SECONDS = 300
ROOT = Path(__file__).resolve().parent.parent


def main() -> int:
    arguments = read_arguments()
    sys.path += [str(ROOT), str(ROOT / "tests")]
    if arguments.only:
        importlib.import_module(f"chaos_{arguments.only}").run(arguments.short, arguments.out)
        return 0
    arguments.out.mkdir(parents=True, exist_ok=True)
    ended = [run_part(part, arguments.short, arguments.out) for part in arguments.parts]
    from chaos_table import write_table

    print(write_table(arguments.out).read_text())
    return 0 if all(ended) else 1


def read_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    known = (*PARTS, *OTHERS)
    parser.add_argument(
        "--parts",
        type=lambda text: [part for part in text.split(",") if part],
        default=list(known),
        help=f"of {', '.join(known)}; fuzz only enters scripts/fuzz's figures into the table",
    )
    parser.add_argument("--short", action="store_true", help="small numbers, about two minutes")
    parser.add_argument("--out", type=Path, default=ROOT / "studies/published/survival")
    parser.add_argument("--only", choices=list(PARTS), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    unknown = set(arguments.parts) - set(known)
    if unknown:
        parser.error(f"no such part: {', '.join(sorted(unknown))}")
    return arguments


def run_part(part: str, short: bool, out: Path) -> bool:
    """Runs a part in a process of its own; says whether it came to its end."""
    if part in OTHERS:
        return True
    (out / f"{part}.json").unlink(missing_ok=True)
    command = [sys.executable, __file__, "--only", part, "--out", str(out.resolve())]
    began = time.monotonic()
    print(f"{part}: begun", flush=True)
    with tempfile.TemporaryDirectory(prefix="mbnas-", ignore_cleanup_errors=True) as folder:
        Path(folder).chmod(0o711)  # PostgreSQL runs as another user
        process = subprocess.Popen(
            [*command, *(["--short"] if short else [])],
            env=environment(folder),
            cwd=ROOT,
            start_new_session=True,
        )
        try:
            code = process.wait(SHORT_SECONDS if short else PARTS[part])
        except subprocess.TimeoutExpired:
            code = "not in time"
        finally:
            end_all_of(process)
    print(f"{part}: ended ({code}) after {time.monotonic() - began:.0f} s", flush=True)
    return code == 0


def environment(folder: str) -> dict[str, str]:
    """For a part: locks, caches and files of its own, and no threads that it did not begin."""
    return {
        **os.environ,
        "TMPDIR": folder,
        "MBNAS_CACHE": f"{folder}/cache",
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
        "RAY_USAGE_STATS_ENABLED": "0",
        "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'scripts'}",
    }


def end_all_of(process: subprocess.Popen[bytes]) -> None:
    """Ends a part's process and those that it began."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


if __name__ == "__main__":
    sys.exit(main())
