"""What mbnas report takes."""

from __future__ import annotations

import argparse
from pathlib import Path

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


def _place(text: str) -> Path:
    if not text:
        raise argparse.ArgumentTypeError("an empty name; name a file or a folder")
    return Path(text)
