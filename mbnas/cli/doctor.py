"""mbnas doctor: what is well, worth knowing or wrong on this machine, and what mends it."""

from __future__ import annotations

import argparse
import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from typing import get_args

from rich.console import Console
from rich.table import Table
from rich.text import Text

from mbnas.cli.table import print_table
from mbnas.doctor import Finding, State, examine
from mbnas.errors import StudyError

_COLOURS: dict[State, str] = {"well": "green", "note": "yellow", "fault": "bold red"}


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
    table = Table.grid(padding=(0, 2))
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for finding in found:
        said = Text(finding.said)
        if finding.mend is not None:
            said.append(f"\n→ {finding.mend}", style="italic")
        table.add_row(Text(finding.state, style=_COLOURS[finding.state]), finding.what, said)
    print_table(table)
