"""survival.md: one table of all that scripts/chaos and scripts/fuzz have found."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

ORDER = (
    "driver",
    "workers",
    "ray",
    "postgresql",
    "disk",
    "throughput",
    "overhead",
    "fuzz",
)


def write_table(folder: Path) -> Path:
    """Writes survival.md beside the parts' files."""
    found = {file.stem: json.loads(file.read_text()) for file in sorted(folder.glob("*.json"))}
    parts = [found[name] for name in ORDER if name in found]
    lines = [
        "# What a search survives, and what mbnas costs",
        "",
        "Made by `scripts/chaos` and `scripts/fuzz` from the files beside this one.",
        *(f"{_name(part)} on {_machine(part)}." for part in parts),
        "",
        "| check | to reach | seen | reached |",
        "|---|---|---|---|",
        *(_line(row) for part in parts for row in part.get("rows", [])),
    ]
    target = folder / "survival.md"
    target.write_text("\n".join(lines) + "\n")
    return target


def _name(part: dict[str, Any]) -> str:
    short = ", in short form" if part.get("short") else ""
    return f"`{part['part']}`{short}: {part['seconds']:.0f} s"


def _machine(part: dict[str, Any]) -> str:
    return f"{part['cpu']}, {part['cores']} cores"


def _line(row: dict[str, Any]) -> str:
    words = {True: "yes", False: "**no**", None: "not tried"}
    cells = (row["check"], row["to_reach"], row["seen"], words[row["reached"]])
    return "| " + " | ".join(str(cell).replace("|", "\\|") for cell in cells) + " |"
