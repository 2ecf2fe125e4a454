"""Disks that are full or read-only, and clocks that are set back."""

from __future__ import annotations

import contextlib
import gc
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import chaos_clock
from chaos_checks import counted, faults, records, sequence, summary, whole_results
from chaos_common import Part, Row, fake_search

import mbnas
from mbnas.testing import FakeTrainer

ROOT = Path(__file__).resolve().parent.parent
WIDE_KB = 64_000
FULL = "disk full (a small tmpfs) in the middle of a search"
READ_ONLY = "file system read-only, new study and old"
ONE_ERROR = "one line of error each time, study intact, goes on after the mend"


@dataclass
class Errors:
    """What searches said that could not go on."""

    said: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)

    def expect(self, what: Callable[[], object]) -> None:
        """Runs what must end with one line of a known error."""
        try:
            what()
        except mbnas.errors.MbnasError as error:
            self.said.append(str(error))
            if "\n" in str(error):
                self.wrong.append(f"more than a line: {error}")
        except BaseException as error:  # noqa: BLE001 - whatever else it is, it is wrong
            frame = traceback.extract_tb(error.__traceback__)[-1]
            where = f"{Path(frame.filename).name}, {frame.name}"
            self.wrong.append(f"{type(error).__name__} in {where}: {error}")
        else:
            self.wrong.append("no error")

    @property
    def kinds(self) -> list[str]:
        """What they said, each once, without its place."""
        return sorted({said.partition(": ")[2] for said in self.said})


@dataclass(frozen=True)
class SmallDisk:
    """A file system of its own, of any size."""

    path: Path

    def resize(self, kilobytes: int) -> None:
        self.remount(f"size={kilobytes}k")

    def remount(self, options: str) -> None:
        gc.collect()  # a search of this process has its database open until then
        subprocess.run(["mount", "-o", f"remount,{options}", self.path], check=True)

    @property
    def used_kb(self) -> int:
        usage = shutil.disk_usage(self.path)
        return usage.used // 1024


@contextlib.contextmanager
def small_disk(kilobytes: int) -> Iterator[SmallDisk | str]:
    """A tmpfs; in words why there is none."""
    if os.getuid() != 0 or sys.platform != "linux":
        yield "only root on Linux can mount a tmpfs"
        return
    folder = Path(tempfile.mkdtemp())
    command = ["mount", "-t", "tmpfs", "-o", f"size={kilobytes}k", "tmpfs", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        yield f"a tmpfs cannot be mounted here ({done.stderr.strip()})"
        return
    try:
        yield SmallDisk(folder)
    finally:
        subprocess.run(["umount", "--lazy", folder], check=False)
        folder.rmdir()


def run(short: bool, out: Path) -> None:
    part = Part("disk", short, out)
    _add_full(part, 4 if short else 25)
    _add_read_only(part)
    if not short:
        _add_command(part)
    for row, figures in chaos_clock.rows(short):
        part.add(row, **figures)


def _search(study: Path, trials: int) -> None:
    trainer = FakeTrainer(4, seconds_per_epoch=0.0)
    fake_search(study, sampler="random", trainer=trainer).run(trials=trials)


def _evaluated(study: Path) -> int:
    return sum(one["status"] != "reused" for one in records(study))


def _add_full(part: Part, rounds: int) -> None:
    with small_disk(16) as disk, tempfile.TemporaryDirectory() as other:
        if isinstance(disk, str):
            part.add(Row("disk_full", FULL, ONE_ERROR, f"skipped: {disk}", None))
            return
        errors, before, draw = Errors(), [], random.Random(3)
        study = disk.path / "study"
        for _ in range(rounds):
            errors.expect(lambda: _search(study, 10_000))
            before.append(whole_results(study))
            errors.expect(lambda: _search(study, 10_000))
            disk.resize(WIDE_KB)
            _search(study, _evaluated(study) + 2)
            disk.resize(disk.used_kb + draw.randrange(4, 200, 4))
        disk.resize(WIDE_KB)
        trials = _evaluated(study) + 2
        _search(study, trials)
        _search(Path(other) / "unbroken", trials)
        like = sequence(Path(other) / "unbroken")
        found = faults(study, trials, before=before, like=like)
    wrong = counted([found])
    row = Row(
        "disk_full",
        f"{FULL}, {rounds} times, each tried twice",
        f"{ONE_ERROR}; in the end as an unbroken search's",
        f"{len(errors.said)} errors of a line, {len(errors.wrong)} others; {trials} trials in the"
        f" end, {summary(wrong)}",
        not errors.wrong and not sum(wrong.values()),
    )
    part.add(row, kinds=errors.kinds, wrong=errors.wrong[:5], faults=wrong)


def _add_read_only(part: Part) -> None:
    with small_disk(WIDE_KB) as disk, tempfile.TemporaryDirectory() as other:
        if isinstance(disk, str):
            part.add(Row("disk_read_only", READ_ONLY, ONE_ERROR, f"skipped: {disk}", None))
            return
        errors, study = Errors(), disk.path / "study"
        _search(study, 6)
        before = whole_results(study)
        disk.remount("ro")
        errors.expect(lambda: _search(study, 12))
        errors.expect(lambda: _search(disk.path / "new", 12))
        readable = len(mbnas.open_study(study).trials)
        disk.remount("rw")
        _search(study, 12)
        _search(Path(other) / "unbroken", 12)
        like = sequence(Path(other) / "unbroken")
        found = faults(study, 12, before=[before], like=like)
    wrong = counted([found])
    row = Row(
        "disk_read_only",
        READ_ONLY,
        ONE_ERROR,
        f"{len(errors.said)} errors of a line, {len(errors.wrong)} others; {readable} of"
        f" {len(before)} trials read meanwhile; gone on to 12, {summary(wrong)}",
        not errors.wrong and readable == len(before) and not sum(wrong.values()),
    )
    part.add(row, kinds=errors.kinds, wrong=errors.wrong, faults=wrong)


def _add_command(part: Part) -> None:
    """The command itself, with real training."""
    check = "disk full, the command `mbnas search` with real training"
    to_reach = "exit code 1, one line of error; goes on after the mend"
    with small_disk(600) as disk:
        if isinstance(disk, str):
            part.add(Row("disk_command", check, to_reach, f"skipped: {disk}", None))
            return
        study = disk.path / "study"
        began = time.monotonic()
        full = _command(study)
        lines = full.stderr.strip().splitlines()
        disk.resize(WIDE_KB)
        after = _command(study)
        wrong = counted([faults(study, 6)]) if after.returncode == 0 else {"going on": 1}
    well = full.returncode == 1 and len(lines) == 1 and not sum(wrong.values())
    seen = f"exit code {full.returncode}, {len(lines)} line(s); then exit code {after.returncode}"
    part.add(
        Row("disk_command", check, to_reach, f"{seen}, {summary(wrong)}", well),
        said=[line.replace(str(disk.path), "DISK") for line in lines[-3:]],
        seconds=round(time.monotonic() - began, 1),
    )


def _command(study: Path) -> subprocess.CompletedProcess[str]:
    options = ("--data", "digits", "--epochs", "2", "--trials", "6", "--study", str(study))
    return subprocess.run(
        [sys.executable, "-m", "mbnas", "search", "digits_tiny", *options],
        capture_output=True,
        text=True,
        cwd=ROOT,
        check=False,
    )
