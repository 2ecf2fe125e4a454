"""mbnas simulate: replay searches on a table of known results."""

from __future__ import annotations

import argparse
import tomllib
from pathlib import Path
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

import mbnas
from mbnas.analysis.known_table import Columns, KnownTable, read_table, table_of_study
from mbnas.analysis.simulation import SHARES, Plan, Run, needed, simulate
from mbnas.cli.arguments.simulate import names
from mbnas.errors import StudyError
from mbnas.measure.cores import usable_cores
from mbnas.network.checks import nearest
from mbnas.report.simulation_page import needed_said, write_simulation_report

_COLUMNS = ("choices", "maximize", "minimize", "reference", "known")
_PLAN: dict[str, type] = {
    "samplers": tuple,
    "seeds": int,
    "trainings": int,
    "error": float,
    "in_flight": int,
}
_SAID = {int: "a whole number", float: "a number such as 0.03", str: "a column's name"}


def run(arguments: argparse.Namespace) -> int:
    """Runs the verb."""
    settings = _beside(arguments.table)
    for key in (*_COLUMNS, *_PLAN):
        if getattr(arguments, key) is not None:
            settings[key] = getattr(arguments, key)
    known = _table(arguments.table, settings)
    plan = Plan(**{key: settings[key] for key in _PLAN if key in settings})
    workers = len(usable_cores()) if arguments.workers is None else arguments.workers
    folder = arguments.out or Path("studies") / "simulations" / known.name
    console = Console()
    console.print(
        f"{known.name}: {known.size:,} networks in {len(known.points):,} rows,"
        f" {len(known.choices)} choices",
        highlight=False,
        markup=False,
    )
    runs = _watched(known, plan, workers, console)
    print(f"report:  {write_simulation_report(known, plan, runs, folder)}")
    _show(runs, known, plan, console)
    return 0


def _watched(known: KnownTable, plan: Plan, workers: int, console: Console) -> list[Run]:
    """Every run, in the order of samplers and seeds; a bar, or a line for each run."""
    runs: list[Run] = []
    with Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=console,
        disable=not console.is_terminal,
    ) as bars:
        task = bars.add_task("runs", total=plan.seeds * len(plan.samplers))
        for one in simulate(known, plan, workers):
            runs.append(one)
            bars.update(task, advance=1)
            if not console.is_terminal:
                said = f"{one.sampler}, seed {one.seed}: {one.shares[-1]:.4f}"
                console.print(f"{said} after {len(one.shares)} trainings", highlight=False)
                console.file.flush()
    return sorted(runs, key=lambda one: (plan.samplers.index(one.sampler), one.seed))


def _show(runs: list[Run], known: KnownTable, plan: Plan, console: Console) -> None:
    table = Table(box=SIMPLE_HEAD, pad_edge=False, title="Trainings, medians over the seeds")
    table.add_column("to a share of")
    for share in SHARES:
        table.add_column(f"{share:.0%}", justify="right")
    found = needed(runs)
    for sampler in plan.samplers:
        said = [needed_said(one, known, plan) for one in found if one.sampler == sampler]
        table.add_row(sampler, *said)
    console.print(table)


def _table(path: Path, settings: dict[str, Any]) -> KnownTable:
    if path.is_dir():
        return table_of_study(mbnas.open_study(path))
    for key in ("choices", "maximize", "minimize"):
        if key not in settings:
            raise StudyError(f"{path}: say which columns with --{key}, or in {path.stem}.toml")
    reference = settings.get("reference", ("min", "max"))
    if len(reference) != 2:
        raise StudyError(f"reference = {','.join(reference)}: write two, such as 0.8,max")
    return read_table(
        path,
        Columns(
            choices=settings["choices"],
            maximize=settings["maximize"],
            minimize=settings["minimize"],
            reference=(reference[0], reference[1]),
            known=settings.get("known", ()),
        ),
    )


def _beside(table: Path) -> dict[str, Any]:
    """Settings in a TOML file beside the table."""
    try:
        if table.is_dir():  # before all else: "." has no name to put a suffix to
            return {}
        file = table.with_suffix(".toml")
        if not file.exists():
            return {}
    except OSError as error:  # a name too long, a folder that may not be entered
        raise StudyError(f"{table}: cannot be read ({error.strerror})") from None
    try:
        given = tomllib.loads(file.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError) as error:
        raise StudyError(f"{file}: cannot be read ({error})") from None
    return {key: _setting(key, value, file) for key, value in given.items()}


def _setting(key: str, value: object, file: Path) -> object:
    if key not in (*_COLUMNS, *_PLAN):
        raise StudyError(f'{file}: "{key}": unknown{nearest(key, [*_COLUMNS, *_PLAN])}')
    if key in ("choices", "maximize", "known", "reference", "samplers"):
        if isinstance(value, str):
            return names(value)
        if value == [] and key in ("choices", "maximize", "samplers"):
            raise StudyError(f"{file}: {key} = []: name at least one")
        if isinstance(value, list):
            return tuple(str(item) for item in value)
        raise StudyError(f"{file}: {key} = {value!r}: write a list of texts")
    kind = str if key == "minimize" else _PLAN[key]
    if kind is float and type(value) is int:
        return float(value)
    if isinstance(value, kind) and not isinstance(value, bool):
        return value
    raise StudyError(f"{file}: {key} = {value!r}: must be {_SAID[kind]}")
