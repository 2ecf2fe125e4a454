"""What mbnas demo takes."""

from __future__ import annotations

import argparse
from pathlib import Path

_EPILOG = """\
example:
  mbnas demo --trials 30 --out demo

Searches scikit-learn's 1,797 handwritten digits, writes the report and exports the most accurate
network. Nothing is downloaded. A second call goes on with the same study.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the verb's arguments."""
    parser.epilog = _EPILOG
    parser.add_argument("--trials", type=int, default=16, help="networks (default 16)")
    parser.add_argument("--out", type=Path, default=Path("demo"), help="folder (default demo)")
