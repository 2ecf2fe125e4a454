"""mbnas confirm: train the front fully, with several seeds, and only then test it."""

from __future__ import annotations

import argparse
from collections.abc import Callable

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

import mbnas
from mbnas.analysis.confirm import FULL
from mbnas.analysis.confirmation import Confirmation, Confirmed
from mbnas.cli.contest_progress import contest_progress
from mbnas.cli.words import WIDE, goes_on_with
from mbnas.report.contest_words import (
    accuracy_said,
    against_said,
    confirmation_said,
    place_said,
    totals_said,
)
from mbnas.report.words import plural
from mbnas.training.recipe_file import read_recipe_fields


def run(arguments: argparse.Namespace) -> int:
    """Runs the verb."""
    study = mbnas.open_study(arguments.study)
    console = Console()
    with goes_on_with(study.folder.path), contest_progress(console) as watch:
        found = mbnas.confirm(
            study,
            recipe=_recipe(study, arguments),
            seeds=arguments.seeds,
            near=arguments.near,
            baselines=arguments.baselines,
            data=arguments.data,
            device=arguments.device,
            pack=arguments.pack,
            observer=watch,
        )
    show(found, console)
    print(f"report:  {mbnas.write_report(mbnas.open_study(arguments.study))}")
    print(f"export:  mbnas export {arguments.study} --pick knee")
    return 0


def _recipe(study: mbnas.Study, arguments: argparse.Namespace) -> mbnas.Recipe | None:
    """The file's recipe, or the search's, with the epochs that are asked for."""
    own = study.record.recipe
    if arguments.recipe is None and arguments.epochs is None:
        return None
    if arguments.recipe is None:
        return own.with_epochs(arguments.epochs)
    # What the machine gains by and what the images bear is not up to how one trains.
    kept = {"precision": own.precision, "flip": own.flip, "crop": own.crop}
    given = {"epochs": FULL * own.epochs, **kept, **read_recipe_fields(arguments.recipe)}
    if arguments.epochs is not None:
        given["epochs"] = arguments.epochs
    images, resolution = study.record.data.sizes["train"], study.space.resolutions[-1]
    return mbnas.Recipe.for_images(images, resolution, **given)


def show(found: Confirmation, console: Console) -> None:
    """Prints a confirmation: every network, what it means, and the front against baselines."""
    title = f"{plural(found.recipe.epochs, 'epoch')}, {plural(len(found.seeds), 'seed')}"
    table = Table(box=SIMPLE_HEAD, pad_edge=False, title=f"Confirmed: {title}")
    wide = console.width >= WIDE
    # On a narrow terminal, what the report has as well is left out, rather than folded.
    columns: dict[str, Callable[[Confirmed], str]] = {
        "brief": lambda one: "–" if one.brief is None else f"{one.brief:.2%}",
        "validation": lambda one: accuracy_said(one.validation),
        "test": lambda one: accuracy_said(one.test),
        found.cost: lambda one: f"{one.cost:,.4g}",
        "on front": lambda one: "–" if one.trial is None else f"{one.place_now.probability:.0%}",
    }
    if not wide:
        del columns["brief"], columns["on front"]
    table.add_column("network", no_wrap=True)
    for name in columns:
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("")
    for one in sorted(found.networks, key=lambda one: one.cost):
        figures = (figure(one) for figure in columns.values())
        table.add_row(one.name, *figures, place_said(one) if wide else one.place)
    console.print(table)
    for failed in found.failed:
        said = f"{failed.contender.name}: failed: {failed.failure}"
        console.print(said, highlight=False, markup=False)
    console.print(confirmation_said(found), highlight=False)
    if found.versus is not None:
        for against in found.versus.against:
            console.print(f"- {against_said(against, found.cost)}", highlight=False)
        for said in totals_said(found.versus, found.cost):
            console.print(f"- {said}", highlight=False)
    restless = [one.name for one in found.networks if one.last_fifth > RESTLESS]
    if restless:
        console.print(
            f"still learning, over {RESTLESS:.0%} in the last fifth of the epochs:"
            f" {', '.join(restless)}",
            highlight=False,
        )


RESTLESS = 0.01
"""A gain in the last fifth of the epochs above which more epochs would change the picture."""
