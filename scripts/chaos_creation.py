"""A driver killed after every single statement with which a study's database is made."""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from chaos_checks import counted, faults, sequence, summary
from chaos_common import Part, Row, fake_search
from chaos_kills import forked
from sqlalchemy import event
from sqlalchemy.engine import Engine

from mbnas.search import Found, Observer, Snapshot
from mbnas.testing import FakeTrainer

TRIALS = 3


class Statements(Observer):
    """Counts what is said to the database before the first trial, and kills this process then.

    Args:
        last: The statement after which it is killed; 0 for none.
        file: Where the count is written down when the first trial begins.
    """

    def __init__(self, last: int, file: Path) -> None:
        self.last, self.file, self.count = last, file, 0
        event.listen(Engine, "after_cursor_execute", self._executed)

    def _executed(self, *_: Any) -> None:
        self.count += 1
        if self.count == self.last:
            os.kill(os.getpid(), signal.SIGKILL)

    def search_began(self, found: Found, snapshot: Snapshot) -> None:  # noqa: ARG002
        self.file.write_text(str(self.count))


def _search(study: Path, trials: int, last: int = 0) -> Callable[[], object]:
    trainer = FakeTrainer(4)
    search = fake_search(study, sampler="random", trainer=trainer)
    counted_in = study.with_name("statements")
    return lambda: search.run(trials=trials, observer=Statements(last, counted_in))


def add(part: Part, short: bool, deadline: float) -> None:
    """Kills after one statement after the other, and goes on twice after each kill."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        root = Path(folder)
        unbroken = root / "unbroken"
        if forked(_search(unbroken, TRIALS), unbroken).code() != 0:
            raise RuntimeError((root / "unbroken.log").read_text())
        like, count = sequence(unbroken), int((root / "statements").read_text())
        found, errors, kills = [], [], 0
        for last in range(1, count + 1, 20 if short else 1):
            if time.monotonic() > deadline:
                break
            study = root / str(last)
            kills += forked(_search(study, TRIALS, last), study).code() == -signal.SIGKILL
            # Twice: what is made a second time is met the third time.
            for trials in (1, TRIALS):
                child = forked(_search(study, trials), study)
                if child.code() != 0:
                    errors.append(f"statement {last}: {child.said().strip().splitlines()[-1]}")
                    break
            else:
                found.append(faults(study, TRIALS, like=like))
            shutil.rmtree(study, ignore_errors=True)
    wrong = counted(found)
    failed = f"; {len(errors)} searches did not go on" if errors else ""
    well = kills > 0 and (short or kills == count) and not errors and not sum(wrong.values())
    part.add(
        Row(
            "driver_creation",
            "driver killed with SIGKILL after every statement that makes the study's database",
            "the same",
            f"{kills} kills, {count} statements: {summary(wrong)}{failed}",
            well,
        ),
        statements=count,
        faults=wrong,
        errors=[error.replace(folder, "FOLDER") for error in errors[:5]],
    )
