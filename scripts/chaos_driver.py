"""The driver, killed with SIGKILL at random moments of searches with fakes, and of real ones."""

from __future__ import annotations

import itertools
import random
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import chaos_creation
from chaos_checks import Record, counted, faults, records, sequence, summary, whole_results
from chaos_common import Part, Row, digits, fake_search
from chaos_kills import Child, forked, spawned, where_it_fell

TO_REACH = (
    "every time 0 finished trials lost, 0 duplicated, same final count, database as the files,"
    " front as recomputed"
)
KILLS_OF_A_SEARCH = 5
ROOT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True)
class Setting:
    """A search that is broken off again and again.

    Attributes:
        trials: To be evaluated.
        changes: Of `fake_search`; None is a real search by the command.
    """

    trials: int
    changes: Mapping[str, Any] | None = None

    def begin(self, study: Path) -> Child:
        """A process that searches, or goes on searching."""
        if self.changes is not None:
            search = fake_search(study, **self.changes)
            return forked(lambda: search.run(trials=self.trials), study)
        options = ("--data", "digits", "--epochs", 3, "--trials", self.trials, "--study", study)
        command = [sys.executable, "-m", "mbnas", "search", "digits_tiny", *map(str, options)]
        return spawned(command, study, ROOT)


FAKES = (
    Setting(12, {"sampler": "tpe"}),
    Setting(12, {"sampler": "known_cost"}),
    Setting(16, {"sampler": "nsga2", "pack": 3}),
    Setting(16, {"sampler": "random", "seed": 1}),
)
REAL = (Setting(8),)


@dataclass
class Kills:
    """Searches that are killed at random moments.

    Attributes:
        root: Folder for their studies.
        draw: Of the moments.
        wanted: Kills in all.
        deadline: When the last search begins, by `time.monotonic`.
    """

    root: Path
    draw: random.Random
    wanted: int
    deadline: float
    kills: int = 0
    searches: int = 0
    found: list[dict[str, list[str]]] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    fell: Counter[str] = field(default_factory=Counter)
    results_kept: int = 0

    def run(self, settings: Sequence[Setting]) -> None:
        """Breaks one search after another until there were enough kills."""
        unbroken = [
            self._unbroken(setting, self.root / f"unbroken-{at}")
            for at, setting in enumerate(settings)
        ]
        for at in itertools.cycle(range(len(settings))):
            if self.kills >= self.wanted or time.monotonic() > self.deadline:
                return
            setting = settings[at]
            seconds, like = unbroken[at]
            self._break(setting, self.root / f"{self.searches}", seconds, like)
            self.searches += 1

    def _unbroken(self, setting: Setting, study: Path) -> tuple[float, list[Any] | None]:
        """How long a search takes that nobody breaks, and with fakes what it finds."""
        child = setting.begin(study)
        child.until_it_holds()
        began = time.monotonic()
        if child.code() != 0:
            raise RuntimeError(f"the unbroken search failed: {child.said()}")
        return time.monotonic() - began, sequence(study) if setting.changes else None

    def _break(self, setting: Setting, study: Path, seconds: float, like: list[Any] | None) -> None:
        before: list[dict[str, str]] = []
        most = min(KILLS_OF_A_SEARCH, self.wanted - self.kills)
        while len(before) < most:
            child = setting.begin(study)
            child.until_it_holds()
            left = 1 - evaluated(study) / setting.trials
            if not child.stopped_after(self.draw.uniform(0, seconds * max(left, 0.1))):
                break  # it was at its end before
            before.append(whole_results(study))
            child.kill()
            self.fell[where_it_fell(study)] += 1
        else:
            child = setting.begin(study)
        self.kills += len(before)
        if child.code() != 0:
            self.errors.append(child.said())
            return
        self.results_kept += len(before[-1]) if before else 0
        self.found.append(faults(study, setting.trials, before=before, like=like))
        shutil.rmtree(study)

    @property
    def seen(self) -> str:
        """What came of it, in words."""
        places = ", ".join(f"{count} {where}" for where, count in self.fell.most_common())
        failed = f"; {len(self.errors)} searches did not go on" if self.errors else ""
        return (
            f"{self.kills} kills of {self.searches} searches ({places}):"
            f" {summary(counted(self.found))}{failed}"
        )

    @property
    def is_well(self) -> bool:
        """Whether there were enough kills and nothing wrong."""
        wrong = sum(counted(self.found).values())
        return self.kills >= self.wanted and not wrong and not self.errors


def evaluated(study: Path) -> int:
    """Trials of a study that are at their end and no repetition."""
    there: list[Record] = records(study)
    return sum(one["status"] != "reused" for one in there)


def run(short: bool, out: Path) -> None:
    part = Part("driver", short, out)
    digits()
    _add(part, "fakes", 10 if short else 100, FAKES[:2] if short else FAKES, 900)
    chaos_creation.add(part, short, time.monotonic() + (40 if short else 900))
    if not short:
        _add(part, "real", 10, REAL, 600)


def _add(part: Part, kind: str, wanted: int, settings: Sequence[Setting], seconds: float) -> None:
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as root:
        kills = Kills(Path(root), random.Random(7), wanted, time.monotonic() + seconds)
        kills.run(settings)
    also = ", as an unbroken search's" if kind == "fakes" else ""
    words = {
        "fakes": "fake trainer and latency",
        "real": "real training and latency, the command `mbnas search`",
    }
    row = Row(
        f"driver_{kind}",
        f"driver killed with SIGKILL at {wanted} random moments, {words[kind]}",
        f"{TO_REACH}{also}",
        kills.seen,
        kills.is_well,
    )
    part.add(
        row,
        kills=kills.kills,
        searches=kills.searches,
        fell=dict(kills.fell.most_common()),
        results_on_record_at_the_last_kills=kills.results_kept,
        faults=counted(kills.found),
        first_faults=[text for one in kills.found for some in one.values() for text in some][:10],
        errors=[error.replace(root, "FOLDER").splitlines()[-1] for error in kills.errors[:3]],
    )
