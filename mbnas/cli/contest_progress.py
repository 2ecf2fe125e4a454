"""The live display of trainings, timings and tests of given networks."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from mbnas.analysis.contenders import Contender
from mbnas.analysis.contest import ContestObserver
from mbnas.analysis.trainings import Done
from mbnas.cli.words import SaysItWaits
from mbnas.report.words import plural
from mbnas.training.trainer import Epoch


@contextlib.contextmanager
def contest_progress(console: Console) -> Iterator[ContestObserver]:
    """An observer that shows how a contest goes, while the context lasts."""
    bars = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.completed:.0f}/{task.total:.0f}"),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        console=console,
        disable=not console.is_terminal,
    )
    with bars:
        yield _Watch(console, bars)


class _Watch(SaysItWaits, ContestObserver):
    """A bar over all epochs; where there is no terminal, a line for every training."""

    def __init__(self, console: Console, bars: Progress) -> None:
        self._console = console
        self._bars = bars
        self._task = bars.add_task("training", total=1, visible=False)
        self._trainings = self._ended = self._epochs = 0

    def images_decoded(self, done: int, total: int) -> None:
        self._bars.update(
            self._task, completed=done, total=total, visible=True, description="reading images"
        )

    def planned(self, trainings: int, epochs: int, done: int) -> None:
        self._trainings, self._ended = trainings, done
        self._epochs = epochs
        before = f", {done} of them done before" if done else ""
        self._say(f"{plural(trainings, 'training')}{before}")

    def epoch_ended(self, contender: Contender, epoch: Epoch) -> None:
        if self._epochs:  # the first since the images were read
            self._bars.reset(self._task, total=self._epochs, visible=True)
            self._epochs = 0
        text = f"{contender.name}, epoch {epoch.epoch}"
        self._bars.update(self._task, advance=1, description=text)

    def training_ended(self, contender: Contender, done: Done) -> None:
        self._ended += 1
        if self._console.is_terminal:
            return
        what = done.failure or f"accuracy {done.curve[-1].accuracy:.4f}, {done.seconds:.0f} s"
        self._say(f"{self._ended}/{self._trainings}  {contender.name}, seed {done.seed}: {what}")

    def timing(self, networks: int, round_: int, rounds: int) -> None:
        said = f"timing {plural(networks, 'network')}" + (
            f", round {round_} of {rounds}" if rounds > 1 else ""
        )
        self._bars.update(self._task, description=said, visible=True)
        if not self._console.is_terminal:
            self._say(said)

    def testing(self, done: int, total: int) -> None:
        self._bars.update(
            self._task, completed=done, total=total, visible=True, description="test part"
        )
        if not done:
            self._say(f"the test part is opened, for {total} trained networks")

    def _say(self, line: str) -> None:
        self._console.print(line, highlight=False, soft_wrap=True, markup=False)
        self._console.file.flush()
