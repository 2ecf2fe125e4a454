"""A simulation's report: how many trainings each sampler needed."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import pandas

from mbnas.analysis.known_table import KnownTable
from mbnas.analysis.simulation import SHARES, Needed, Plan, Run, needed
from mbnas.errors import StudyError
from mbnas.files import write_atomically
from mbnas.report.document import document, header, plot, section, tile
from mbnas.report.figures.simulation import simulation_figure
from mbnas.report.tables import Column, table
from mbnas.report.words import escaped, plural

_FOOTER = (
    "Made by mbnas. Every run lies beside this file in <code>simulation.csv</code>: the share of"
    " the table’s hypervolume after each training."
)


def write_simulation_report(
    known: KnownTable, plan: Plan, runs: Sequence[Run], folder: str | Path
) -> Path:
    """Writes `simulation.html`, one file that works offline, and two CSV files into a folder.

    `needed.csv` has the trainings that each sampler needed, `simulation.csv` every run.

    Returns:
        The HTML file.

    Raises:
        StudyError: they cannot be written.
    """
    path = Path(folder) / "simulation.html"
    tables = {"simulation.csv": runs_dataframe(runs), "needed.csv": needed_dataframe(runs)}
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        for name, frame in tables.items():
            content = frame.to_csv(index=False, lineterminator="\n", float_format="%.6g")
            write_atomically(path.with_name(name), content.encode())
        write_atomically(path, simulation_page(known, plan, runs).encode())
    except OSError as error:
        raise StudyError(f"{path}: the report cannot be written ({error.strerror})") from None
    return path


def runs_dataframe(runs: Sequence[Run]) -> pandas.DataFrame:
    """One row for each training of each run."""
    return pandas.DataFrame(
        [
            {"sampler": run.sampler, "seed": run.seed, "training": at, "share": share}
            for run in runs
            for at, share in enumerate(run.shares.tolist(), start=1)
        ]
    )


def needed_dataframe(runs: Sequence[Run]) -> pandas.DataFrame:
    """One row for each sampler and share; an empty cell where it was not reached."""
    return pandas.DataFrame(
        [
            {
                "sampler": one.sampler,
                "share": one.share,
                **{
                    name: value if math.isfinite(value) else None
                    for name, value in (
                        ("median", one.median),
                        ("quartile_low", one.low),
                        ("quartile_high", one.high),
                    )
                },
            }
            for one in needed(runs)
        ]
    )


def needed_said(one: Needed, known: KnownTable, plan: Plan) -> str:
    """A median with its quartiles, in words."""
    # A table that is used up by then leaves nothing that more trainings could reach.
    beyond = f"> {plan.trainings}" if known.size > plan.trainings else "not reached"
    if math.isinf(one.median):
        return beyond
    high = f"{one.high:.0f}" if math.isfinite(one.high) else beyond
    return f"{one.median:g} ({one.low:.0f}–{high})"


def simulation_page(known: KnownTable, plan: Plan, runs: Sequence[Run]) -> str:
    """The whole document."""
    found = needed(runs)
    first = [one for one in found if one.share == SHARES[0]]
    best = min(first, key=lambda one: one.median)
    tiles = [
        tile("networks", f"{known.size:,}", f"{len(known.points):,} rows"),
        tile("runs", f"{len(runs)}", f"{plural(plan.seeds, 'seed')} of each sampler"),
        tile(
            f"fewest trainings to {SHARES[0]:.0%}",
            needed_said(best, known, plan),
            best.sampler,
        ),
    ]
    caption = (
        "The share of the table’s own hypervolume that the evaluated networks have, by their mean"
        " measured quality. Lines are medians over the seeds; half of the runs lie in each band."
        " A training is the first evaluation of a network; a network that is proposed again costs"
        " nothing."
    )
    sections = [
        section("curves", "Trainings it takes", plot("curves", simulation_figure(runs), caption)),
        section("needed", "In figures", _table(found, known, plan)),
    ]
    return document(
        f"{known.name} · mbnas simulation",
        header("Simulated searches", known.name, _lead(plan), "".join(tiles)),
        "\n".join(sections),
        _FOOTER,
        plots=True,
    )


def _lead(plan: Plan) -> str:
    flight = "" if plan.in_flight == 1 else f", {plan.in_flight} candidates in evaluation at once"
    return (
        f"{plural(len(plan.samplers), 'sampler')} on a table of known results; costs are seen"
        f" before a network is chosen with an error of {plan.error:.0%}{flight}."
    )


def _table(found: Sequence[Needed], known: KnownTable, plan: Plan) -> str:
    columns = (
        Column("sampler", figures=False),
        *(Column(f"trainings to {share:.0%}") for share in SHARES),
    )
    samplers = dict.fromkeys(one.sampler for one in found)
    rows = [
        [
            escaped(sampler),
            *(needed_said(one, known, plan) for one in found if one.sampler == sampler),
        ]
        for sampler in samplers
    ]
    return table("needed-table", "Medians over the seeds, with quartiles", columns, rows)
