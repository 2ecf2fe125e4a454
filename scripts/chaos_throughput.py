"""How many trials a second go through the driver; its memory; what a power failure may cost."""

from __future__ import annotations

import contextlib
import shutil
import sqlite3
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
from chaos_checks import counted, faults, records, sequence, summary
from chaos_common import EPOCHS, Part, Row, fake_search

from mbnas.errors import StudyError
from mbnas.search import DEFAULT_SAMPLER, Observer, Snapshot, Trial
from mbnas.testing import FakeTrainer

PACK = 8
LEFT_OUT = 100
TO_REACH = 20.0
GROWTH = 0.10
"""By what share the driver's memory may grow while all but the first fifth of the trials end."""


@dataclass
class Watch(Observer):
    """Notes when trials end, the driver's memory, and what the database's main file holds."""

    study: Path
    looks: tuple[int, ...]
    ends: list[float] = field(default_factory=list)
    processor: list[float] = field(default_factory=list)
    memory_mb: dict[int, float] = field(default_factory=dict)
    not_in_the_file: list[int] = field(default_factory=list)
    _this: psutil.Process = field(default_factory=psutil.Process)

    def trial_ended(self, trial: Trial, snapshot: Snapshot) -> None:  # noqa: ARG002
        self.ends.append(time.monotonic())
        self.processor.append(time.process_time())
        count = len(self.ends)
        if count in self.looks:
            self.memory_mb[count] = round(self._this.memory_info().rss / 1e6, 1)
        if count % 50 == 0:
            self.not_in_the_file.append(count - finished_in_file(self.study))

    def rate(self, times: Sequence[float]) -> float:
        """Trials a second, the first ones left out."""
        first = min(LEFT_OUT, len(times) // 4)
        return (len(times) - 1 - first) / (times[-1] - times[first])


def finished_in_file(study: Path) -> int:
    """Finished trials in study.db without its log: what no power failure can take."""
    with tempfile.TemporaryDirectory() as folder:
        shutil.copy(study / "study.db", folder)
        query = "SELECT COUNT(*) FROM trials WHERE state IN ('COMPLETE', 'PRUNED', 'FAIL')"
        try:
            with contextlib.closing(sqlite3.connect(Path(folder) / "study.db")) as database:
                return int(database.execute(query).fetchone()[0])
        except sqlite3.Error:
            return 0


def run(short: bool, out: Path) -> None:
    part = Part("throughput", short, out)
    trials = 60 if short else 1000
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as root:
        watch, error = _search(Path(root) / "study", trials, "random")
        _add_rate(part, watch, trials, error)
        _add_memory(part, watch)
        _add_power_failure(part, Path(root) / "study", watch, trials)
        if not short:
            _add_default(part, Path(root) / "default")


def _search(
    study: Path, trials: int, sampler: str, seconds: float | None = None
) -> tuple[Watch, str]:
    """A search, and what ended it before its time."""
    looks = (200, 600, 1000) if trials >= 1000 else (trials // 5, 3 * trials // 5, trials)
    watch = Watch(study, looks)
    search = fake_search(
        study,
        trainer=FakeTrainer(EPOCHS),
        sampler=sampler,
        stopping=False,
        engine="workers",
        pack=PACK,
    )
    try:
        search.run(trials, seconds, observer=watch)
    except StudyError as error:
        return watch, str(error)
    return watch, ""


def _add_rate(part: Part, watch: Watch, trials: int, error: str) -> None:
    wall, processor = watch.rate(watch.ends), watch.rate(watch.processor)
    wrong = counted([faults(watch.study, trials)])
    seen = (
        f"{wall:.1f} trials/s, {processor:.1f} to a second of the driver's processor time,"
        f" {len(watch.ends)} trials; {error or 'no error'}, {summary(wrong)}"
    )
    well = wall >= TO_REACH and not error and not sum(wrong.values())
    check = f"{PACK} workers, {trials} fake trials of no length on SQLite, sampler random"
    target = f"no lock error; at least {TO_REACH:.0f} trials/s through the driver"
    part.add(
        Row("throughput", check, target, seen, well),
        per_second=round(wall, 2),
        per_processor_second=round(processor, 2),
        load=[round(one, 1) for one in psutil.getloadavg()],
        faults=wrong,
    )


def _add_memory(part: Part, watch: Watch) -> None:
    counts = sorted(watch.memory_mb)
    first, last = counts[0], counts[-1]
    grown = watch.memory_mb[last] - watch.memory_mb[first]
    share, growth = grown / watch.memory_mb[first], grown / (last - first) * 100
    at = ", ".join(f"{watch.memory_mb[count]:.0f} MB at {count}" for count in counts)
    part.add(
        Row(
            "throughput_memory",
            "memory of the driver in that search",
            f"flat: grows by at most {GROWTH:.0%} from {first} to {last} trials",
            f"{at}: by {share:.1%}, {growth:.1f} MB for 100 trials, all of which it keeps",
            share <= GROWTH,
        ),
        memory_mb=watch.memory_mb,
        growth_mb_for_100=round(growth, 2),
    )


def _add_power_failure(part: Part, study: Path, watch: Watch, trials: int) -> None:
    """Takes from the database all that its log holds, as the worst power failure would."""
    before = sequence(study)
    for side in ("-wal", "-shm"):
        study.with_name(study.name).joinpath(f"study.db{side}").unlink(missing_ok=True)
    (study / "study.db").unlink()
    recovered: list[int] = []

    class Listener(Observer):
        def study_recovered(self, trials: int) -> None:
            recovered.append(trials)

    search = fake_search(study, trainer=FakeTrainer(EPOCHS), sampler="random", stopping=False)
    search.run(trials + 1, observer=Listener())
    wrong = counted([faults(study, trials + 1)])
    is_kept = sequence(study)[: len(before)] == before
    most = max(watch.not_in_the_file)
    part.add(
        Row(
            "throughput_power",
            "what a power failure could cost that study's database",
            "stated, and recoverable from `trials/`",
            f"at most the last {most} trials, by 20 looks at its main file alone; the whole"
            f" database removed, {recovered[0]} of {len(before)} trials came back from"
            f" `trials/`, {summary(wrong)}",
            is_kept and recovered == [len(before)] and not sum(wrong.values()),
        ),
        not_in_the_file=watch.not_in_the_file,
        faults=wrong,
    )


def _add_default(part: Part, study: Path) -> None:
    """What the same costs with the default sampler, at the studies' usual sizes."""
    watch, error = _search(study, 300, DEFAULT_SAMPLER, seconds=400.0)
    at = {n: round(_seconds_at(watch, n), 3) for n in (50, 100, 200, 300) if n <= len(watch.ends)}
    words = ", ".join(f"{seconds * 1000:.0f} ms at {count}" for count, seconds in at.items())
    part.add(
        Row(
            "throughput_default",
            f"the same with the default sampler ({DEFAULT_SAMPLER}), up to 300 trials",
            "stated",
            f"a trial takes the driver {words}; {error or 'no error'}",
            not error,
        ),
        seconds_a_trial=at,
        trials=len(records(study)),
    )


def _seconds_at(watch: Watch, count: int) -> float:
    """Wall time of a trial around a number of trials."""
    span: list[Any] = watch.ends[count - 30 : count]
    return float(span[-1] - span[0]) / (len(span) - 1)
