"""What the parts of scripts/chaos share: rows, their file, and searches with fakes."""

from __future__ import annotations

import functools
import json
import os
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import mbnas
from mbnas.measure.host import this_host
from mbnas.search import Search
from mbnas.testing import FakeLatencyMeter, FakeTrainer
from mbnas.training.recipe import Recipe
from mbnas.training.trainer import Assignment, Epoch, Training, no_step

EPOCHS = 4
RUNGS = (1, 2)


@dataclass(frozen=True)
class Row:
    """One line of the table.

    Attributes:
        key: What it is called in tests.
        check: What was done.
        to_reach: What was to come of it.
        seen: What came of it.
        reached: Whether that is what was to come; None where this machine cannot do it.
    """

    key: str
    check: str
    to_reach: str
    seen: str
    reached: bool | None


@dataclass
class Part:
    """What a part has found, written after every row so that no kill loses it."""

    name: str
    short: bool
    out: Path
    rows: list[Row] = field(default_factory=list)
    figures: dict[str, Any] = field(default_factory=dict)
    began: float = field(default_factory=time.monotonic)

    def add(self, row: Row, **figures: Any) -> None:
        self.rows.append(row)
        self.figures[row.key] = figures
        print(f"{self.name}: {row.check}: {row.seen} ({said(row.reached)})", flush=True)
        host = this_host(1)
        content = {
            "part": self.name,
            "short": self.short,
            "cpu": host.cpu,
            "cores": host.cores,
            "seconds": round(time.monotonic() - self.began, 1),
            "rows": [asdict(row) for row in self.rows],
            "figures": self.figures,
        }
        text = json.dumps(content, indent=1, ensure_ascii=False)
        (self.out / f"{self.name}.json").write_text(text + "\n")


def said(reached: bool | None) -> str:
    """A row's last word."""
    return "skipped" if reached is None else "reached" if reached else "NOT reached"


@functools.cache
def digits() -> mbnas.Dataset:
    """scikit-learn's digits, dealt once."""
    return mbnas.load_data("digits")


def fake_search(study: Path, **changes: Any) -> Search:
    """A search with fakes, in whose rungs trials are stopped."""
    settings: dict[str, Any] = {
        "space": mbnas.load_space("digits_tiny"),
        "data": digits(),
        "study": study,
        "trainer": FakeTrainer(epochs=EPOCHS, seconds_per_epoch=0.01),
        "meter": FakeLatencyMeter(),
        "recipe": Recipe(epochs=EPOCHS, rungs=RUNGS),
        "sampler": "tpe",
        **changes,
    }
    return Search(**settings)


class MarkingTrainer(FakeTrainer):
    """Leaves a file with its process's number in a folder while it trains."""

    def __init__(self, folder: Path, seconds_per_epoch: float) -> None:
        super().__init__(EPOCHS, seconds_per_epoch)
        self.folder = folder

    def train(
        self,
        assignment: Assignment,
        on_epoch: Callable[[Epoch], None],
        on_step: Callable[[], None] = no_step,
    ) -> Training:
        mark = self.folder / str(os.getpid())
        mark.touch()
        try:
            return super().train(assignment, on_epoch, on_step)
        finally:
            mark.unlink(missing_ok=True)


class TimedTrainer(FakeTrainer):
    """Writes down in a folder when it trained, by the clock that all processes share."""

    def __init__(self, folder: Path, seconds_per_epoch: float) -> None:
        super().__init__(EPOCHS, seconds_per_epoch)
        self.folder = folder

    def train(
        self,
        assignment: Assignment,
        on_epoch: Callable[[Epoch], None],
        on_step: Callable[[], None] = no_step,
    ) -> Training:
        began = time.monotonic()
        try:
            return super().train(assignment, on_epoch, on_step)
        finally:
            spent = [assignment.architecture.id, began, time.monotonic()]
            with (self.folder / str(os.getpid())).open("a") as file:
                file.write(json.dumps(spent) + "\n")
