"""mbnas retarget: time a study's networks again, and see what becomes of its front."""

from __future__ import annotations

import argparse
from pathlib import Path

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

import mbnas
from mbnas.analysis.retargeting import RetargetObserver
from mbnas.cli.words import SaysItWaits, goes_on_with
from mbnas.measure.cores import usable_cores
from mbnas.report.retarget_page import front_place, target, verdict
from mbnas.report.words import QUANTITIES, digits, interval, plural


def run(arguments: argparse.Namespace) -> int:
    """Runs the verb."""
    study = mbnas.open_study(arguments.study)
    console = Console()
    _warn_of_threads(study.record.threads if arguments.threads is None else arguments.threads)
    with goes_on_with(arguments.study), _Watch(console, arguments.seconds) as watch:
        found = mbnas.retarget(
            study,
            threads=arguments.threads,
            int8=arguments.int8,
            seconds=arguments.seconds,
            reach=1.0 if arguments.all else arguments.reach,
            limits=arguments.limit,
            name=arguments.name,
            observer=watch,
        )
    _show(found, console)
    for line in verdict(found):
        print(line)
    print(f"report:  {mbnas.write_retarget_report(found)}")
    return 0


def _warn_of_threads(threads: int) -> None:
    cores = len(usable_cores())
    if threads > cores:
        print(
            f"{plural(threads, 'thread')} are more than the {plural(cores, 'core')} that may be"
            " used here: they wait for each other, and the latencies are those of such threads",
            flush=True,
        )


class _Watch(SaysItWaits, RetargetObserver):
    """A bar over the networks; where there is no terminal, a line for each."""

    def __init__(self, console: Console, seconds: float) -> None:
        self._console = console
        self._seconds = seconds
        self._bars = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            console=console,
            disable=not console.is_terminal,
        )
        self._task = self._bars.add_task("timing", total=1)

    def __enter__(self) -> _Watch:
        self._bars.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bars.stop()

    def planned(self, file: Path, networks: int, done: int) -> None:
        self._bars.update(self._task, total=networks, completed=done)
        before = f", {done} of them timed before" if done else ""
        about = self._seconds * (networks - done)
        self._say(f"{plural(networks, 'network')}{before}; about {about:.0f} s")
        self._say(f"kept in  {file}")

    def written(self, trial: mbnas.Trial) -> None:
        self._bars.update(self._task, description=f"trial {trial.number} written")

    def timing(self, networks: int) -> None:
        said = f"timing {plural(networks, 'network')} by turns"
        self._bars.update(self._task, description=said)
        if not self._console.is_terminal:
            self._say(said)

    def timed(self, trial: mbnas.Trial, latency: mbnas.Latency) -> None:
        self._bars.update(self._task, advance=1, description="timing")
        if not self._console.is_terminal:
            self._say(f"trial {trial.number}: {digits(latency.latency_ms)} ms")

    def _say(self, text: str) -> None:
        self._console.print(text, highlight=False, soft_wrap=True, markup=False)
        self._console.file.flush()


def _show(found: mbnas.Retarget, console: Console) -> None:
    quality = found.goals.quality
    table = Table(
        box=SIMPLE_HEAD,
        pad_edge=False,
        collapse_padding=True,
        title=f"The front on {target(found)}",
    )
    noun = QUANTITIES[quality].noun
    for name in ("trial", noun, "old ms", "new ms", "95 % interval", "ratio", "rank"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("front")
    for one in found.on_a_front:
        table.add_row(
            str(one.trial.number),
            f"{one.trial.value(quality):.4f}",
            digits(one.old_ms),
            f"{digits(one.new_ms)}{' ~' if one.latency.noisy else ''}",
            interval(one.now),
            f"{one.ratio:.2f}",
            f"{one.old_rank} → {one.new_rank}",
            front_place(found, one.trial.number),
        )
    console.print(table)
