"""Worker processes killed at random moments of a search: in their trainings, and in any moment."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import random
import signal
import tempfile
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from chaos_checks import counted, faults, records, sequence, summary
from chaos_common import EPOCHS, MarkingTrainer, Part, Row, fake_search

from mbnas.search import Observer, Snapshot, Trial
from mbnas.training.trainer import Epoch

PACK = 4
BATCH = 5
SECONDS_PER_EPOCH = 0.02
TRIALS = 200
KILLS = 25
MOST_BUDGETS = 10
PATIENCE_SECONDS = 20.0
LOOK_SECONDS = 0.001


@dataclass
class Killer(Observer):
    """Kills a worker now and then, a random moment after an epoch or a trial has ended.

    Attributes:
        marks: Folder in which a worker that trains has a file with its number.
        draw: Of moments and victims.
        most: Kills in all.
        every: Trials between two kills, on average.
        anyone: Whether it also kills those that measure, begin or wait for work.
    """

    marks: Path
    draw: random.Random
    most: int
    every: float
    anyone: bool
    kills: list[str] = field(default_factory=list)
    _ended: int = 0
    _next: float = 2.0
    _ticking: threading.Thread | None = None

    def epoch_ended(self, number: int, epoch: Epoch) -> None:  # noqa: ARG002
        self._tick()

    def trial_ended(self, trial: Trial, snapshot: Snapshot) -> None:  # noqa: ARG002
        self._ended += 1
        self._tick()

    def _tick(self) -> None:
        is_ticking = self._ticking is not None and self._ticking.is_alive()
        if is_ticking or self._ended < self._next or len(self.kills) >= self.most:
            return
        self._next = self._ended + self.draw.uniform(0, 2 * self.every)
        self._ticking = threading.Thread(target=self._kill)
        self._ticking.start()

    def _kill(self) -> None:
        """Kills somebody, a random part of a trial's time after one has begun to train."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not (training := self._training()) and time.monotonic() < deadline:
            time.sleep(LOOK_SECONDS)
        victims = self._workers() if self.anyone else training
        if not victims:
            return
        victim, name = self.draw.choice(sorted(victims.items()))
        time.sleep(self.draw.uniform(0, EPOCHS * SECONDS_PER_EPOCH))
        trains = victim in self._training()
        with contextlib.suppress(ProcessLookupError):
            os.kill(victim, signal.SIGKILL)
            is_idle = not trains and "training" in name
            self.kills.append("beginning or waiting" if is_idle else name.split("-")[1])
        (self.marks / str(victim)).unlink(missing_ok=True)

    def _workers(self) -> dict[int, str]:
        """The names of the processes that evaluate, by their numbers."""
        children = multiprocessing.active_children()
        return {one.pid: one.name for one in children if one.name.startswith("mbnas-") and one.pid}

    def _training(self) -> dict[int, str]:
        workers = self._workers()
        return {pid: name for pid, name in workers.items() if (self.marks / str(pid)).exists()}


def run(short: bool, out: Path) -> None:
    part = Part("workers", short, out)
    trials, kills = (24, 3) if short else (TRIALS, KILLS)
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as root:
        _add(part, Path(root) / "one", trials, kills, anyone=False)
        if not short:
            _add(part, Path(root) / "two", trials, kills, anyone=True)


def _add(part: Part, folder: Path, trials: int, kills: int, *, anyone: bool) -> None:
    """One search; where those alone are killed that train, in batches, to be held against one."""
    marks, study = folder / "marks", folder / "study"
    marks.mkdir(parents=True)
    killer = Killer(marks, random.Random(11), kills, trials / (kills + 2), anyone)
    search = fake_search(
        study,
        trainer=MarkingTrainer(marks, SECONDS_PER_EPOCH),
        engine="workers",
        pack=PACK,
        batch=None if anyone else BATCH,
    )
    began = time.monotonic()
    budgets = [trials]
    search.run(trials=trials, observer=killer)
    while len(killer.kills) < kills and len(budgets) < MOST_BUDGETS:  # the last ones came too late
        budgets.append(budgets[-1] + BATCH)
        search.run(trials=budgets[-1], observer=killer)
    trials = budgets[-1]
    seconds = time.monotonic() - began
    lost = sum(one["failure"] == "lost worker" for one in records(study))
    like = None if lost or anyone else _unbroken(folder / "unbroken", budgets)
    wrong = counted([faults(study, trials, like=like)])
    row = Row(
        "workers_anywhere" if anyone else "workers_training",
        f"workers killed with SIGKILL, {PACK} at work, {trials} trials, "
        + ("whatever they do" if anyone else f"those that train, batches of {BATCH}"),
        "all trials end; none evaluated twice into the record"
        + ("" if anyone else "; as an unbroken search's"),
        f"{_in_words(killer.kills)}: {trials} trials ended, {summary(wrong)}; {lost} lost their"
        " worker twice and are on record as failed",
        len(killer.kills) >= kills * 0.8 and not sum(wrong.values()),
    )
    part.add(row, kills=killer.kills, seconds=round(seconds, 1), lost_twice=lost, faults=wrong)


def _unbroken(study: Path, budgets: list[int]) -> list[Any]:
    """The same searches, in which nobody is killed."""
    for trials in budgets:
        fake_search(study, batch=BATCH).run(trials=trials)
    return sequence(study)


def _in_words(kills: list[str]) -> str:
    counts = {where: kills.count(where) for where in sorted(set(kills))}
    return f"{len(kills)} kills (" + ", ".join(f"{n} {where}" for where, n in counts.items()) + ")"
