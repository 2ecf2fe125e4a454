"""scripts/chaos in its short form: kills of driver and workers, a full disk, a clock set back."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from helpers import ROOT

ROWS = {
    "driver": ("driver_fakes", "driver_creation"),
    "workers": ("workers_training",),
    "disk": ("disk_full", "disk_read_only", "clock_back", "clock_jump"),
}


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """The rows that the script writes, by their keys."""
    out = tmp_path_factory.mktemp("survival")
    command = [sys.executable, ROOT / "scripts" / "chaos.py", "--short", "--out", out]
    done = subprocess.run(
        [*command, "--parts", ",".join(ROWS)],
        capture_output=True,
        text=True,
        cwd=ROOT,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    parts = [json.loads((out / f"{part}.json").read_text()) for part in ROWS]
    rows = {row["key"]: row for part in parts for row in part["rows"]}
    table = (out / "survival.md").read_text()
    assert all(row["seen"] in table for row in rows.values())
    return rows


@pytest.mark.parametrize("key", [key for keys in ROWS.values() for key in keys])
def test_what_is_to_be_reached_is(key: str, seen: dict[str, dict[str, Any]]) -> None:
    row = seen[key]
    if row["reached"] is None:
        pytest.skip(row["seen"].removeprefix("skipped: "))
    assert row["reached"], row


def test_every_row_is_looked_at(seen: dict[str, dict[str, Any]]) -> None:
    assert set(seen) == {key for keys in ROWS.values() for key in keys}


def test_an_unknown_part_is_refused(tmp_path: Path) -> None:
    command = [sys.executable, ROOT / "scripts" / "chaos.py", "--parts", "driver,flood"]
    done = subprocess.run(
        [*command, "--out", tmp_path], capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert "no such part: flood" in done.stderr


def test_what_fuzzing_found_enters_the_table(tmp_path: Path) -> None:
    kind = {"cases": 7, "accepted": 1, "refused": 4, "fault": 2, "hang": 0, "crash": 0}
    (tmp_path / "fuzz.json").write_text(json.dumps({"kinds": {"spaces": kind}}))
    command = [sys.executable, ROOT / "scripts" / "chaos.py", "--parts", "fuzz", "--out", tmp_path]
    subprocess.run(command, check=True, capture_output=True, cwd=ROOT)
    table = (tmp_path / "survival.md").read_text()
    assert "fuzzing: 7 space files" in table
    assert "4 refused in a line, 2 faults" in table
    assert "| **no** |" in table
