"""mbnas doctor: what is well, worth knowing or wrong on this machine, and what mends it."""

from __future__ import annotations

import argparse
import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import get_args

from rich.console import Console
from rich.table import Table
from rich.text import Text

from mbnas.doctor import Finding, State, examine
from mbnas.errors import StudyError

_EPILOG = """\
examples:
  mbnas doctor                                           this machine
  mbnas doctor studies/photos --data folder:photos       and a study, and its images
  mbnas doctor --engine workers                          and whether a process starts and computes
  mbnas doctor --engine ray --address auto               and who is in the cluster
  mbnas doctor --storage postgresql+psycopg://me@db/nas  and a database; passwords are not shown
  mbnas doctor --json | jq '.findings[] | select(.state == "fault")'

One line a check: well; note, which is worth knowing and stops nothing; fault, with its mend below.
Most of the time goes into one real measurement. Nothing is changed. Exit code 1 if there is a
fault, 0 if there is none.
"""
_COLOURS: dict[State, str] = {"well": "green", "note": "yellow", "fault": "bold red"}
_ONE_LINE = 10_000
"""Columns where no terminal wraps them: a line for grep is a whole one."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the verb's arguments."""
    parser.epilog = _EPILOG
    parser.add_argument("study", metavar="STUDY", type=Path, nargs="?", help="a study's folder")
    parser.add_argument("--storage", metavar="URL", help="a database that is to hold studies")
    parser.add_argument(
        "--engine",
        choices=("auto", "local", "workers", "ray"),
        default="auto",
        help="what is to evaluate networks (default auto: what a search would take)",
    )
    parser.add_argument("--address", metavar="A", help="with --engine ray: auto, or host:port")
    parser.add_argument("--data", metavar="DATA", help="images to load, as mbnas search takes them")
    parser.add_argument("--json", action="store_true", help="for machines")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Runs the verb."""
    check_address(arguments)
    with Console(stderr=True).status("looking") as status:
        found = examine(
            arguments.study,
            storage=arguments.storage,
            engine=arguments.engine,
            address=arguments.address,
            data=arguments.data,
            on_check=lambda what: status.update(f"looking at: {what}"),
        )
    counts = Counter(finding.state for finding in found)
    if arguments.json:
        told = {"faults": counts["fault"], "findings": [asdict(finding) for finding in found]}
        print(json.dumps(told, indent=2, ensure_ascii=False))
    else:
        _print(found)
        parts = [f"{counts[state]} {state}" for state in get_args(State)]
        print(f"\n{', '.join(parts)}" + ("" if counts["fault"] else ": a search can run here"))
    return 1 if counts["fault"] else 0


def check_address(arguments: argparse.Namespace) -> None:
    """Refuses the address of a cluster where the engine is none.

    Raises:
        StudyError: it would go unheard.
    """
    if arguments.address is not None and arguments.engine != "ray":
        raise StudyError(
            f"--address {arguments.address}: the engine {arguments.engine} joins no cluster;"
            " add --engine ray, or leave the address out"
        )


def _print(found: Sequence[Finding]) -> None:
    console = Console()
    table = Table.grid(padding=(0, 2))
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for finding in found:
        said = Text(finding.said)
        if finding.mend is not None:
            said.append(f"\n→ {finding.mend}", style="italic")
        table.add_row(Text(finding.state, style=_COLOURS[finding.state]), finding.what, said)
    if console.is_terminal:
        console.print(table)
        return
    console.width = _ONE_LINE
    with console.capture() as captured:
        console.print(table)
    print("\n".join(line.rstrip() for line in captured.get().splitlines()))
