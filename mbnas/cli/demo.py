"""mbnas demo: the whole way on embedded data."""

from __future__ import annotations

import argparse

import mbnas
from mbnas.cli.export import show
from mbnas.cli.progress import progress
from mbnas.cli.words import front_table, goes_on_with


def run(arguments: argparse.Namespace) -> int:
    """Runs the verb."""
    study_folder = arguments.out / "digits"
    space = mbnas.load_space("digits_tiny")
    print(f"searching {space.size:,} small networks on handwritten digits, in {study_folder}")
    search = mbnas.Search(space, mbnas.load_data("digits"), study=study_folder)
    with (
        goes_on_with(study_folder),
        progress(search) as observer,
    ):
        study = search.run(arguments.trials, observer=observer)
    front_table(study)
    report = mbnas.write_report(study)
    bundle = mbnas.export(study, arguments.out / "bundle", "accuracy")
    show(bundle)
    print(f"report:  {report}  (open it in a browser)")
    return 0
