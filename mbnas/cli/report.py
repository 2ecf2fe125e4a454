"""mbnas report: write a study's report."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import mbnas
from mbnas.cli.words import front_table
from mbnas.search.watched import WatchedStudy

_EPILOG = """\
example:
  mbnas report studies/photos          writes studies/photos/report.html, front.csv, trials.csv

The HTML file needs no network and no other file. A search that still runs can be reported too.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the verb's arguments."""
    parser.epilog = _EPILOG
    parser.add_argument("study", metavar="STUDY", type=Path, help="a study's folder")
    parser.add_argument(
        "--out",
        type=_place,
        help="the HTML file, or a folder that is there, for report.html (default STUDY); beside"
        " another file, such as a.html, the tables are a-front.csv and a-trials.csv",
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Runs the verb."""
    watched = WatchedStudy(arguments.study)
    watched.look()
    study = watched.study or mbnas.open_study(arguments.study)  # which says what is wrong
    damaged = list(watched.damaged.values())
    for line in damaged:
        print(f"left out: {line}", file=sys.stderr)
    file = mbnas.write_report(study, arguments.out, damaged)
    front_table(study)
    print(f"report:  {file}")
    return 0


def _place(text: str) -> Path:
    if not text:
        raise argparse.ArgumentTypeError("an empty name; name a file or a folder")
    return Path(text)
