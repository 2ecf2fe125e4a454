"""What mbnas adds to trials of ten seconds: in this process, in workers, and on Ray."""

from __future__ import annotations

import importlib.util
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from statistics import mean
from typing import Any

import psutil
from chaos_common import EPOCHS, Part, Row, fake_search

from mbnas.search import DEFAULT_SAMPLER, Observer, Snapshot, Trial
from mbnas.testing import FakeTrainer
from mbnas.training.trainer import Epoch

TRIALS = 8
SECONDS = 10.0
MOST = 0.05
SLOTS = {"local": 1, "workers": 2, "ray": 2}


@dataclass
class Times(Observer):
    """Notes when the first training began and when each trial ended."""

    seconds_per_epoch: float
    began: float = field(default_factory=time.monotonic)
    first_training: float | None = None
    ends: list[float] = field(default_factory=list)

    def epoch_ended(self, number: int, epoch: Epoch) -> None:  # noqa: ARG002
        if self.first_training is None:
            self.first_training = time.monotonic() - self.seconds_per_epoch

    def trial_ended(self, trial: Trial, snapshot: Snapshot) -> None:  # noqa: ARG002
        self.ends.append(time.monotonic())


def run(short: bool, out: Path) -> None:
    part = Part("overhead", short, out)
    for engine, slots in SLOTS.items():
        if engine == "ray" and importlib.util.find_spec("ray") is None:
            why = "skipped: Ray is not installed"
            part.add(Row("overhead_ray", _check("ray", SECONDS), _target(), why, None))
            continue
        if not short or engine == "local":
            _add(part, engine, slots, 3 if short else TRIALS, 3.0 if short else SECONDS)


def _check(engine: str, seconds: float) -> str:
    return f"overhead of mbnas beside trials of {seconds:g} s, engine {engine}"


def _target() -> str:
    return f"at most {MOST:.0%}"


def _add(part: Part, engine: str, slots: int, trials: int, seconds: float) -> None:
    times = _searched(engine, slots, trials, seconds)
    ends = times.ends
    # The k-th trial and the one that takes its place: a trial's time, and what lies between.
    beyond = [ends[at + slots] - ends[at] - seconds for at in range(len(ends) - slots)]
    assert times.first_training is not None
    start = times.first_training - times.began
    share = mean(beyond) / seconds
    row = Row(
        f"overhead_{engine}",
        _check(engine, seconds),
        _target(),
        f"{share:.1%}: {mean(beyond):.2f} s a trial, at most {max(beyond):.2f} s ({len(beyond)}"
        f" trials, {slots} at once); {start:.1f} s from the start to the first training",
        share <= MOST,
    )
    figures: dict[str, Any] = {
        "beyond_seconds": [round(one, 3) for one in beyond],
        "start_seconds": round(start, 1),
        "load": [round(one, 1) for one in psutil.getloadavg()],
    }
    part.add(row, **figures)


def _searched(engine: str, slots: int, trials: int, seconds: float) -> Times:
    """A search of so many trials, and one more for each slot, whose start is not looked at."""
    times = Times(seconds / EPOCHS)
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as root:
        fake_search(
            Path(root) / "study",
            trainer=FakeTrainer(EPOCHS, seconds / EPOCHS),
            sampler=DEFAULT_SAMPLER,
            stopping=False,
            engine=engine,
            pack=slots,
        ).run(trials=trials + slots, observer=times)
    return times
