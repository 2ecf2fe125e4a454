"""The live display of a running search; plain lines where there is no terminal."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence

from rich.console import Console, Group
from rich.live import Live
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
)
from rich.table import Table
from rich.text import Text

from mbnas.cli.words import SaysItWaits, checking_said, duration, limit_said
from mbnas.network import Architecture
from mbnas.search import Feasibility, Found, Limit, Observer, Search, Snapshot, Trial
from mbnas.search.record import StudyRecord
from mbnas.training.trainer import Epoch

SHOWN = 8  # rows of the front
_PAUSED = (
    "paused: nothing new begins; what is being measured or trained goes on to its end or next rung"
)
_RESUMED = "resumed: the search goes on"
_STOPPED = (
    "stopping: no new network begins, what is in evaluation ends; the same command goes on later"
)
_INTERRUPTED = "interrupted: what is trained ends its epoch; Ctrl-C again ends at once"


_MADE = "a new study: some networks are tried and measured first"


@contextlib.contextmanager
def progress(of: Search | StudyRecord) -> Iterator[Observer]:
    """An observer that shows how a search goes, while the context lasts.

    In a terminal it shows bars and the front; elsewhere it prints a line for each trial.

    Args:
        of: The search, or the record of its study.
    """
    console, quality = Console(), of.goals.quality
    if not console.is_terminal:
        yield _Lines(console, quality)
        return
    display = _Display(console, of.recipe.epochs, quality)
    with Live(display.view(), console=console, refresh_per_second=4) as live:
        display.live = live
        yield display


class _Lines(SaysItWaits, Observer):
    """One line a trial."""

    def __init__(self, console: Console, quality: str) -> None:
        self.console = console
        self._quality = quality

    def limits_to_check(self, limits: Sequence[Limit]) -> None:
        self.console.print(checking_said(limits), highlight=False)

    def images_decoded(self, done: int, total: int) -> None:
        if done == total:
            self.console.print(f"{total} images read", highlight=False)
            self.console.file.flush()

    def limit_checked(self, found: Feasibility) -> None:
        self.console.print(limit_said(found), highlight=False, soft_wrap=True)

    def study_is_made(self) -> None:
        self._said(_MADE)

    def study_recovered(self, trials: int) -> None:
        if trials:
            self.console.print(_recovered(trials), highlight=False, soft_wrap=True)

    def search_began(self, found: Found, snapshot: Snapshot) -> None:  # noqa: ARG002
        if found.finished or found.broken_off or found.enqueued:
            self.console.print(_found(found), highlight=False)

    def trial_ended(self, trial: Trial, snapshot: Snapshot) -> None:
        left = "" if snapshot.seconds_left is None else f"  {duration(snapshot.seconds_left)} left"
        text = (
            f"{_count(snapshot)}  {_outcome(trial, self._quality)}  front {len(snapshot.front)}"
            f"  hypervolume {snapshot.hypervolume:.4f}{left}"
        )
        self.console.print(text, highlight=False, soft_wrap=True, markup=False)
        self.console.file.flush()  # into a file or a pipe too, a line is there when it is said

    def space_used_up(self, repeats: int) -> None:
        self.console.print(_used_up(repeats), highlight=False)

    def time_is_up(self, trials: int) -> None:
        self._said(_time_is_up(trials))

    def trials_wait(self, trials: int) -> None:
        self._said(_trials_wait(trials))

    def search_paused(self) -> None:
        self._said(_PAUSED)

    def search_resumed(self) -> None:
        self._said(_RESUMED)

    def search_stopped(self) -> None:
        self._said(_STOPPED)

    def search_interrupted(self) -> None:
        self._said(_INTERRUPTED)

    def _said(self, said: str) -> None:
        self.console.print(said, highlight=False, soft_wrap=True)
        self.console.file.flush()


class _Display(Observer):
    """Bars for the search and every running trial, the last outcome, and the front."""

    def __init__(self, console: Console, epochs: int, quality: str) -> None:
        self.console = console
        self._quality = quality
        self.live: Live | None = None
        self._bars = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("{task.fields[note]}", markup=False),
            console=console,
        )
        self._all = self._bars.add_task("trials", total=None, note="")
        self._images = self._bars.add_task("images", total=None, note="being read", visible=False)
        self._epochs = epochs
        self._running: dict[int, TaskID] = {}
        self._last = ""
        self._note = ""
        self._snapshot: Snapshot | None = None

    def waits_for_cores(self) -> None:
        self._bars.update(self._all, note="waiting for the cores")

    def limits_to_check(self, limits: Sequence[Limit]) -> None:
        self.console.print(checking_said(limits), highlight=False)

    def images_decoded(self, done: int, total: int) -> None:
        self._bars.update(self._images, completed=done, total=total, visible=done < total)

    def limit_checked(self, found: Feasibility) -> None:
        self.console.print(limit_said(found), highlight=False)

    def study_is_made(self) -> None:
        self.console.print(_MADE, highlight=False)

    def study_recovered(self, trials: int) -> None:
        if trials:
            self.console.print(_recovered(trials), highlight=False)

    def search_began(self, found: Found, snapshot: Snapshot) -> None:
        if found.finished or found.broken_off or found.enqueued:
            self.console.print(_found(found), highlight=False)
        self._show(snapshot)

    def trial_began(self, number: int, architecture: Architecture) -> None:
        note = f"trial {number}: {architecture.id}, measuring and training"
        self._running[number] = self._bars.add_task("epochs", total=self._epochs, note=note)

    def epoch_ended(self, number: int, epoch: Epoch) -> None:
        value = getattr(epoch, self._quality)
        note = f"trial {number}: {_noun(self._quality)} {value:.4f}, loss {epoch.loss:.3f}"
        self._bars.update(self._running[number], completed=epoch.epoch, note=note)

    def trial_ended(self, trial: Trial, snapshot: Snapshot) -> None:
        self._last = _outcome(trial, self._quality)
        if trial.number in self._running:  # one that was known already never ran
            self._bars.remove_task(self._running.pop(trial.number))
        self._show(snapshot)

    def space_used_up(self, repeats: int) -> None:
        self.console.print(_used_up(repeats), highlight=False)

    def time_is_up(self, trials: int) -> None:
        self._steered(_time_is_up(trials), note="time is up")

    def trials_wait(self, trials: int) -> None:
        self.console.print(_trials_wait(trials), highlight=False)

    def search_paused(self) -> None:
        self._steered(_PAUSED, note="paused")

    def search_resumed(self) -> None:
        self._steered(_RESUMED, note="")

    def search_stopped(self) -> None:
        self._steered(_STOPPED, note="stopping")

    def search_interrupted(self) -> None:
        self._steered(_INTERRUPTED, note="interrupted")

    def _steered(self, said: str, note: str) -> None:
        self.console.print(said, highlight=False)
        self._note = note
        self._bars.update(self._all, note=note)

    def view(self) -> Group:
        parts: list[Progress | Text | Table] = [self._bars]
        if self._last:
            parts.append(Text(f"last: {self._last}"))
        if self._snapshot is not None and self._snapshot.front:
            parts.append(_front(self._snapshot, self._quality))
        return Group(*parts)

    def _show(self, snapshot: Snapshot) -> None:
        self._snapshot = snapshot
        left = "" if snapshot.seconds_left is None else f"{duration(snapshot.seconds_left)} left"
        note = self._note or left
        self._bars.update(self._all, completed=snapshot.evaluated, total=snapshot.wanted, note=note)
        if self.live is not None:
            self.live.update(self.view())


def _front(snapshot: Snapshot, quality: str) -> Table:
    title = f"front {len(snapshot.front)}, hypervolume {snapshot.hypervolume:.4f}"
    names = ("trial", _noun(quality), "latency ms", "params")
    table = Table(*names, title=title, title_justify="left")
    members = snapshot.front
    step = max(1, -(-len(members) // SHOWN))
    for trial in members[::-1][::step][::-1]:
        latency = "–" if trial.latency_ms is None else f"{trial.latency_ms:.3f}"
        value = trial.value(quality)
        accuracy = "–" if value is None else f"{value:.4f}"
        table.add_row(str(trial.number), accuracy, latency, f"{trial.costs.params:,}")
    return table


def _used_up(repeats: int) -> str:
    if not repeats:
        return "every network of the space is known: the search ends"
    return f"no new network to be found (the last {repeats} proposals were known): the search ends"


def _recovered(trials: int) -> str:
    return (
        f"{trials} trials stood otherwise in the database than in trials/, as after a power failure"
        " or in another database: set right"
    )


def _found(found: Found) -> str:
    again = f", {found.broken_off} begun before (taken up again now)" if found.broken_off else ""
    first = f"{found.enqueued} networks in line come first" if found.enqueued else "going on"
    if not found.finished and not again:
        return first
    return f"found {found.finished} evaluated trials{again}; {first}"


def _time_is_up(trials: int) -> str:
    return (
        f"time is up: nothing new begins, {trials} in evaluation go on to their end or next rung"
        if trials > 1
        else "time is up: nothing new begins, one in evaluation goes on to its end or next rung"
    )


def _trials_wait(trials: int) -> str:
    return (
        f"evaluated beside these: {trials}, told in their turn when the same command goes on; the"
        " front has them already"
    )


def _noun(quality: str) -> str:
    return quality.replace("_", " ")


def _count(snapshot: Snapshot) -> str:
    return f"{snapshot.evaluated}" + (f"/{snapshot.wanted}" if snapshot.wanted else "")


def _outcome(trial: Trial, quality: str) -> str:
    latency = "" if trial.latency_ms is None else f" {trial.latency_ms:.3f} ms"
    if trial.status == "reused":
        return f"trial {trial.number}: same network as trial {trial.reused_from}, reused"
    start = f" ({trial.start})" if trial.start else ""
    if trial.status == "trained":
        known = f", known from {trial.known_from}" if trial.known_from else ""
        figure = f"{_noun(quality)} {trial.value(quality):.4f}"
        return f"trial {trial.number}{start}: {figure}{latency}{known}"
    return f"trial {trial.number}{start}: {trial.status}{latency} ({trial.reason})"
