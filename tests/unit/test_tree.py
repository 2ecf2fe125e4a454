"""The tree of files, as its readers find it."""

from __future__ import annotations

from helpers import ROOT

LONGEST = 400


def test_no_file_is_too_long_to_be_read_at_once() -> None:
    files = [file for room in ("mbnas", "scripts", "tests") for file in (ROOT / room).rglob("*.py")]
    assert len(files) > 300
    long = {
        str(file.relative_to(ROOT)): lines
        for file in files
        if (lines := len(file.read_text().splitlines())) > LONGEST
    }
    assert not long
