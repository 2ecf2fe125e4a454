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
)
FUZZED = {
    "spaces": "space files",
    "studies": "study folders with damaged members",
    "recipes": "recipe files",
    "architectures": "architecture files",
    "checkpoints": "checkpoints (accepted: passed over)",
    "images": "image folders and zips",
    "networks": "ONNX files",
    "requests": "requests to the dashboard",
    "commands": "commands with words changed or lost",
}
"""What scripts/fuzz calls its kinds of input, in words."""


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
        *(_line(row) for part in parts for row in part["rows"]),
        *(_line(row) for row in _fuzz_rows(found.get("fuzz", {"kinds": {}})["kinds"])),
    ]
    target = folder / "survival.md"
    target.write_text("\n".join(lines) + "\n")
    return target


def _fuzz_rows(kinds: dict[str, Any]) -> list[dict[str, Any]]:
    """A row for each kind of damaged input."""
    return [
        {
            "check": f"fuzzing: {kinds[name]['cases']:,} {words}",
            "to_reach": "only `MbnasError`s, each naming the file or the word; no hang; no crash",
            "seen": ", ".join(
                f"{kinds[name][key]:,} {said}"
                for key, said in (
                    ("accepted", "accepted"),
                    ("refused", "refused in a line"),
                    ("fault", "faults"),
                    ("hang", "hangs"),
                    ("crash", "crashes"),
                )
            ),
            "reached": not any(kinds[name][key] for key in ("fault", "hang", "crash")),
        }
        for name, words in FUZZED.items()
        if name in kinds
    ]


def _name(part: dict[str, Any]) -> str:
    short = ", in short form" if part.get("short") else ""
    return f"`{part['part']}`{short}: {part['seconds']:.0f} s"


def _machine(part: dict[str, Any]) -> str:
    return f"{part['cpu']}, {part['cores']} cores"


def _line(row: dict[str, Any]) -> str:
    words = {True: "yes", False: "**no**", None: "not tried"}
    cells = (row["check"], row["to_reach"], row["seen"], words[row["reached"]])
    return "| " + " | ".join(str(cell).replace("|", "\\|") for cell in cells) + " |"
