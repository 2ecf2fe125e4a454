"""mbnas baselines: published networks beside a study's front."""

from __future__ import annotations

import argparse

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

import mbnas
from mbnas.analysis.baselines import Baselines
from mbnas.analysis.contenders import USUAL
from mbnas.cli.contest_progress import contest_progress
from mbnas.cli.progress import progress
from mbnas.cli.words import goes_on_with
from mbnas.report.contest_words import against_said, totals_said


def run(arguments: argparse.Namespace) -> int:
    """Runs the verb."""
    study = mbnas.open_study(arguments.study)
    console = Console()
    settings = {
        "data": arguments.data,
        "device": arguments.device,
        "pack": arguments.pack,
    }
    with goes_on_with(study.folder.path):
        with contest_progress(console) as watch:
            found = mbnas.baselines(study, arguments.networks or USUAL, observer=watch, **settings)
        if arguments.random:
            print("a random search with as many epochs")
            with progress(study.record) as observer:
                found = mbnas.baselines(
                    study, (), random=True, search_observer=observer, **settings
                )
    _show(study, found, console)
    print(f"report:  {mbnas.write_report(study)}")
    return 0


def _show(study: mbnas.Study, found: Baselines, console: Console) -> None:
    goals = study.record.goals
    table = Table(box=SIMPLE_HEAD, pad_edge=False, title="Baselines, trained and timed as trials")
    table.add_column("network", overflow="fold")
    for name in (goals.quality.replace("_", " "), goals.cost, "95 % interval", "params", "MACs"):
        table.add_column(name, justify="right", no_wrap=True)
    for one in sorted(found.networks, key=lambda one: one.cost(goals.cost)):
        (latency,) = one.latencies
        table.add_row(
            one.contender.name,
            Text(one.failure) if one.failure else f"{one.qualities(goals.quality)[0]:.4f}",
            f"{one.cost(goals.cost):,.4g}",
            f"{latency.low_ms:.3f} to {latency.high_ms:.3f} ms",
            f"{one.costs.params / 1e6:.3f} M",
            f"{one.costs.macs / 1e6:.2f} M",
        )
    console.print(table)
    if found.versus is not None:
        for against in found.versus.against:
            console.print(f"- {against_said(against, goals.cost)}", highlight=False)
        for said in totals_said(found.versus, goals.cost):
            console.print(f"- {said}", highlight=False)
    if found.versus_random is not None:
        for said in totals_said(found.versus_random, goals.cost, "the random search"):
            console.print(f"- {said}", highlight=False)
    if not study.front:
        console.print("the study has no front yet to hold them against")
    elif found.versus is None:
        console.print("no baseline was trained to its end: there is none to hold the front against")
    else:
        console.print(
            "One seed each, and the front was chosen by these accuracies, which flatters it;"
            f" intervals leave both out. Confirm them: mbnas confirm {study.folder.path}",
            highlight=False,
            soft_wrap=True,
        )
