"""mbnas report: write a study's report."""

from __future__ import annotations

import argparse
import sys

import mbnas
from mbnas.cli.words import front_table
from mbnas.search.watched import WatchedStudy


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
