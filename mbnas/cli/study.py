"""mbnas study: copy a study to another place or database, or free the disk of what it needs not."""

from __future__ import annotations

import argparse

import mbnas

_UNITS = ("bytes", "kB", "MB", "GB", "TB")


def run(arguments: argparse.Namespace) -> int:
    """Runs the verb."""
    return {"copy": _copy, "prune": _prune}[arguments.action](arguments)


def _copy(arguments: argparse.Namespace) -> int:
    copied = mbnas.copy_study(arguments.source, arguments.target, arguments.storage)
    print(f"copied {len(copied.trials):,} trials")
    print(f"study:   {copied.folder.path}")
    print(f"storage: {copied.storage}")
    return 0


def _prune(arguments: argparse.Namespace) -> int:
    freed = mbnas.prune_study(arguments.study, arguments.keep, arguments.dry_run)
    word = "would be freed" if arguments.dry_run else "freed"
    for name, amount in freed.parts.items():
        if amount:
            of = f", of {freed.trials:,} trials" if name == "weights and models" else ""
            print(f"{_said(amount):>9}  {name}{of}")
    print(f"{_said(freed.total_bytes):>9}  {word}")
    return 0


def _said(amount: int) -> str:
    """Bytes as a human reads them: `3.4 MB`."""
    power = min(len(_UNITS) - 1, (len(str(amount)) - 1) // 3)
    value = amount / 1000**power
    return (
        f"{value:.0f} {_UNITS[power]}"
        if not power or value >= 100
        else f"{value:.1f} {_UNITS[power]}"
    )
