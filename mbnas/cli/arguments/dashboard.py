"""What mbnas dashboard takes."""

from __future__ import annotations

import argparse
from pathlib import Path

_EPILOG = """\
examples:
  mbnas dashboard studies/photos                     opens http://127.0.0.1:8050/
  mbnas dashboard studies/a studies/b                fronts over one another, hypervolumes compared
  mbnas dashboard studies/photos --host 0.0.0.0      for others too; prints an address with a token

A study may be searched at this moment, or made later: the page follows it. Pause, go on and stop
a search, open a network by a click, pin two, and take one home as a zip. Ctrl-C ends the page and
no search. Needs the extra: pip install 'mbnas[dashboard]'
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the verb's arguments."""
    parser.epilog = _EPILOG
    parser.add_argument("studies", metavar="STUDY", type=Path, nargs="+", help="studies' folders")
    parser.add_argument("--port", type=int, default=8050, help="0 takes a free one (default 8050)")
    parser.add_argument(
        "--host", default="127.0.0.1", help="any but this machine's own needs a token, then made up"
    )
    parser.add_argument("--token", help="what visitors must bring in the address")
    parser.add_argument("--no-browser", action="store_true", help="only print the address")
