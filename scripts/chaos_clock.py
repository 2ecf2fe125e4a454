"""Clocks that are set back by a day: between two searches, and in the middle of one.

Called by itself it is a search with fakes, in a process whose clock libfaketime sets:
python scripts/chaos_clock.py STUDY TRIALS [--jump FILE] [--seconds N] [--waits-after N]
"""

from __future__ import annotations

import argparse
import json
import os
import select
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from chaos_checks import counted, faults, records, sequence, summary
from chaos_common import Row, fake_search
from chaos_kills import spawned

from mbnas.search import Observer, Snapshot, Trial
from mbnas.testing import FakeTrainer

ROOT = Path(__file__).resolve().parent.parent
DAY = 86_400
BUDGET = 4.0
KILLED = ("clock_back", "search killed, and gone on with a clock set back by a day")
JUMP = ("clock_jump", "clock set back by a day in the middle of a search")
TIMED = ("clock_budget", f"the same in a search with a budget of {BUDGET:g} s")
TO_REACH = "study intact; as an unbroken search's"


class SetsBack(Observer):
    """Sets the clock of this process back, once some trials have ended."""

    def __init__(self, file: Path | None, after: int) -> None:
        self.file, self.after, self.jumped = file, after, 0.0

    def trial_ended(self, trial: Trial, snapshot: Snapshot) -> None:  # noqa: ARG002
        if self.file is not None and trial.number == self.after:
            before = time.time()
            self.file.write_text("-1d\n")
            self.jumped = time.time() - before


def sleep(seconds: float) -> None:
    """`time.sleep`, for which libfaketime asks the system in a way that it refuses."""
    select.select([], [], [], max(0.0, seconds))


def main() -> None:
    time.sleep = sleep  # type: ignore[assignment]
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("study", type=Path)
    parser.add_argument("trials", type=int)
    parser.add_argument("--jump", type=Path)
    parser.add_argument("--seconds", type=float)
    parser.add_argument("--waits-after", type=int, help="trainings, to be killed by then")
    arguments = parser.parse_args()
    observer = SetsBack(arguments.jump, arguments.trials // 3 if not arguments.seconds else 2)
    trials = None if arguments.seconds else arguments.trials

    def wait(_: object) -> None:
        if len(trainer.trained) == arguments.waits_after:
            sleep(DAY)

    trainer = FakeTrainer(4, seconds_per_epoch=0.01, before=wait)
    began, clock = time.monotonic(), time.time()
    fake_search(arguments.study, sampler="random", trainer=trainer).run(
        trials, arguments.seconds, observer=observer
    )
    seconds = time.monotonic() - began
    print(json.dumps({"seconds": seconds, "jumped": observer.jumped, "clock": clock}))


def rows(short: bool) -> Iterator[tuple[Row, dict[str, Any]]]:
    """What became of searches whose clocks were set back."""
    library = next(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"), None)
    if library is None:
        for key, check in (KILLED, JUMP) if short else (KILLED, JUMP, TIMED):
            yield Row(key, check, TO_REACH, "skipped: libfaketime is not installed", None), {}
        return
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        root, trials = Path(folder), 12 if short else 40
        _search(root / "unbroken", trials, {})
        like = sequence(root / "unbroken")
        yield _killed(root / "killed", trials, library, like)
        yield _jumped(root / "jumped", trials, library, like)
        if not short:
            yield _timed(root / "timed", library)


def _environment(library: Path, **settings: str) -> dict[str, str]:
    """A clock of its own; neither what is measured by the monotonic one nor files' times change."""
    return {
        "LD_PRELOAD": str(library),
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        "FAKETIME_NO_CACHE": "1",
        "NO_FAKE_STAT": "1",
        **settings,
    }


def _command(study: Path, trials: int, *options: object) -> list[str]:
    return [sys.executable, __file__, str(study), str(trials), *map(str, options)]


def _search(
    study: Path, trials: int, environment: dict[str, str], *options: object
) -> dict[str, float]:
    done = subprocess.run(
        _command(study, trials, *options),
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        cwd=ROOT,
        check=False,
    )
    if done.returncode:
        print(done.stderr[-2000:], file=sys.stderr)
        return {"seconds": 0.0, "jumped": 0.0, "clock": time.time()}
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def _killed(study: Path, trials: int, library: Path, like: list[Any]) -> tuple[Row, dict[str, Any]]:
    wanted = trials // 3
    child = spawned(_command(study, trials, "--waits-after", wanted + 1), study, ROOT)
    child.until_it_holds()
    before = child.killed_with(wanted)
    found = _search(study, trials, _environment(library, FAKETIME="-1d"))
    back = time.time() - found["clock"]
    wrong = counted([faults(study, trials, before=[before], like=like)])
    well = not sum(wrong.values()) and back > DAY / 2
    seen = f"killed after {len(before)} trials, gone on {back / 3600:.0f} h earlier:"
    return Row(*KILLED, TO_REACH, f"{seen} {trials} trials, {summary(wrong)}", well), {
        "faults": wrong
    }


def _jumped(study: Path, trials: int, library: Path, like: list[Any]) -> tuple[Row, dict[str, Any]]:
    found = _with_jump(study, trials, library)
    wrong = counted([faults(study, trials, like=like)])
    well = not sum(wrong.values()) and found["jumped"] < -DAY / 2
    seen = f"jumped {-found['jumped'] / 3600:.0f} h back: {trials} trials, {summary(wrong)}"
    return Row(*JUMP, TO_REACH, seen, well), {"faults": wrong}


def _timed(study: Path, library: Path) -> tuple[Row, dict[str, Any]]:
    found = _with_jump(study, 1, library, "--seconds", BUDGET)
    trials = sum(one["status"] != "reused" for one in records(study))
    unfinished = counted([faults(study, trials)])
    well = BUDGET / 2 < found["seconds"] < 3 * BUDGET and found["jumped"] < -DAY / 2
    seen = f"jumped {-found['jumped'] / 3600:.0f} h back; ended after {found['seconds']:.1f} s"
    row = Row(*TIMED, "ends in its time, study intact", seen, well)
    return row, {"faults": unfinished, "trials": trials}


def _with_jump(study: Path, trials: int, library: Path, *options: object) -> dict[str, float]:
    clock = study.with_name(f"{study.name}.clock")
    clock.write_text("+0d\n")
    environment = _environment(library, FAKETIME_TIMESTAMP_FILE=str(clock))
    return _search(study, trials, environment, "--jump", clock, *options)


if __name__ == "__main__":
    main()
