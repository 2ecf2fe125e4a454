"""What mbnas steer takes."""

from __future__ import annotations

import argparse
from pathlib import Path

_EPILOG = """\
examples:
  mbnas steer studies/photos pause      nothing new begins, until:
  mbnas steer studies/photos resume
  mbnas steer studies/photos stop       it ends soon; its own command goes on later

A pause lets what is being measured or trained come to its end or next rung, and costs no --budget.
A stop lets what is in evaluation end first. Neither loses anything.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the verb's arguments."""
    parser.epilog = _EPILOG
    parser.add_argument("study", metavar="STUDY", type=Path, help="a study's folder")
    parser.add_argument(
        "wish", choices=["pause", "resume", "stop"], help="what the search is to do"
    )
