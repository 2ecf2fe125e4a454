"""What mbnas doctor takes."""

from __future__ import annotations

import argparse
from pathlib import Path

_EPILOG = """\
examples:
  mbnas doctor                                           this machine
  mbnas doctor studies/photos --data folder:photos       and a study, and its images
  mbnas doctor --engine workers                          and whether a process starts and computes
  mbnas doctor --engine ray --address auto               and who is in the cluster
  mbnas doctor --storage postgresql+psycopg://me@db/nas  and a database; passwords are not shown
  mbnas doctor --json | jq '.findings[] | select(.state == "fault")'

One line a check: well; note, which is worth knowing and stops nothing; fault, with its mend below.
Most of the time goes into one real measurement. Nothing is changed. Exit code 1 if there is a
fault, 0 if there is none.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the verb's arguments."""
    parser.epilog = _EPILOG
    parser.add_argument("study", metavar="STUDY", type=Path, nargs="?", help="a study's folder")
    parser.add_argument("--storage", metavar="URL", help="a database that is to hold studies")
    parser.add_argument(
        "--engine",
        choices=("auto", "local", "workers", "ray"),
        default="auto",
        help="what is to evaluate networks (default auto: what a search would take)",
    )
    parser.add_argument("--address", metavar="A", help="with --engine ray: auto, or host:port")
    parser.add_argument("--data", metavar="DATA", help="images to load, as mbnas search takes them")
    parser.add_argument("--json", action="store_true", help="for machines")
