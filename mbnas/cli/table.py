"""Tables, for whoever reads them and for what does."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table

_ONE_LINE = 10_000
"""Columns where no terminal wraps them: a line for grep is a whole one."""


def print_table(table: Table) -> None:
    """Prints a table; into a file or a pipe, each row in one line whatever its width."""
    console = Console()
    if console.is_terminal:
        console.print(table)
        return
    console.width = _ONE_LINE
    with console.capture() as captured:
        console.print(table)
    print("\n".join(line.rstrip() for line in captured.get().splitlines()))
