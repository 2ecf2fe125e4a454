"""mbnas audit: how brief a training may be and still put networks in the right order."""

from __future__ import annotations

import argparse
from pathlib import Path

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table

import mbnas
from mbnas.analysis.auditing import FULL, AuditObserver
from mbnas.analysis.trainings import Done, Wanted
from mbnas.cli.options import read_data, read_recipe
from mbnas.cli.words import SaysItWaits, goes_on_with
from mbnas.report.audit_page import verdict
from mbnas.report.words import plural, tau, tau_interval
from mbnas.training.trainer import Epoch


def run(arguments: argparse.Namespace) -> int:
    """Runs the verb."""
    space = mbnas.load_space(arguments.file)
    folder = arguments.out or Path("studies") / "audits" / space.name
    data = read_data(arguments)
    recipe = read_recipe(arguments, data, space, times=FULL)
    plan = mbnas.AuditPlan(
        networks=arguments.networks,
        twice=arguments.twice,
        schedules=arguments.schedules,
        seed=arguments.seed,
        quality=arguments.quality,
    )
    console = Console()
    with goes_on_with(folder), _Watch(console) as watch:
        audit = mbnas.audit(
            space,
            data,
            folder=folder,
            recipe=recipe,
            plan=plan,
            device=arguments.device,
            pack=arguments.pack,
            observer=watch,
        )
    _show(audit, console)
    print(verdict(audit))
    print(f"report:  {mbnas.write_audit_report(audit, folder, space.name)}")
    return 0


class _Watch(SaysItWaits, AuditObserver):
    """A bar over all epochs; where there is no terminal, a line for every training."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._bars = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.completed:.0f}/{task.total:.0f} epochs"),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            console=console,
            disable=not console.is_terminal,
        )
        self._task = self._bars.add_task("training", total=1)
        self._trainings = self._ended = 0

    def __enter__(self) -> _Watch:
        self._bars.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bars.stop()

    def planned(self, trainings: int, epochs: int, done: int) -> None:
        self._trainings, self._ended = trainings, done
        self._bars.update(self._task, total=epochs)
        before = f", {done} of them done before" if done else ""
        self._console.print(f"{plural(trainings, 'training')}{before}", highlight=False)

    def epoch_ended(self, wanted: Wanted, length: int, epoch: Epoch) -> None:
        text = f"{wanted.architecture.id}, epoch {epoch.epoch} of {length}"
        self._bars.update(self._task, advance=1, description=text)

    def training_ended(self, wanted: Wanted, length: int, done: Done) -> None:
        self._ended += 1
        if self._console.is_terminal:
            return
        what = done.failure or f"accuracy {done.curve[-1].accuracy:.4f}, {done.seconds:.0f} s"
        self._console.print(
            f"{self._ended}/{self._trainings}  {wanted.name}, {length} epochs: {what}",
            highlight=False,
            markup=False,
            soft_wrap=True,
        )
        self._console.file.flush()


def _show(audit: mbnas.Audit, console: Console) -> None:
    """The schedules, the costs and a few rungs; the report has all."""
    table = Table(
        box=SIMPLE_HEAD,
        pad_edge=False,
        title=f"Agreement with the order after {audit.epochs} epochs",
    )
    for name in ("", "epochs", "cost", "τ", "95 % interval", "best quarter"):
        table.add_column(name, justify="left" if not name else "right")
    shown = {one.epochs for one in audit.foretellings if one.kind == "schedule"}
    for one in audit.foretellings:
        if one.kind in ("schedule", "cost") or one.epochs in shown:
            table.add_row(
                f"{one.name}{' *' if one is audit.recommended else ''}",
                str(one.epochs),
                f"{one.share:.0%}",
                tau(one.overall.tau, 3),
                tau_interval(one.overall),
                tau(one.best.tau),
            )
    ceiling = audit.ceiling
    table.add_row(
        f"two seeds, {ceiling.networks} networks",
        str(audit.epochs),
        "100%",
        tau(ceiling.tau, 3),
        tau_interval(ceiling),
        "–",
    )
    console.print(table)
