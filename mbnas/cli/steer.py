"""mbnas steer: pause a running search, let it go on, or end it early."""

from __future__ import annotations

import argparse
from pathlib import Path

import mbnas

_EPILOG = """\
examples:
  mbnas steer studies/photos pause      nothing new begins, until:
  mbnas steer studies/photos resume
  mbnas steer studies/photos stop       it ends soon; its own command goes on later

A pause lets what is being measured or trained come to its end or next rung, and costs no --budget.
A stop lets what is in evaluation end first. Neither loses anything.
"""
_WILL = {
    "pause": "will pause: what is being measured or trained goes on to its end or next rung",
    "resume": "will go on",
    "stop": "will end: no new network begins, what is in evaluation ends first",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the verb's arguments."""
    parser.epilog = _EPILOG
    parser.add_argument("study", metavar="STUDY", type=Path, help="a study's folder")
    parser.add_argument("wish", choices=list(_WILL), help="what the search is to do")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Runs the verb."""
    steer = {
        "pause": mbnas.pause_search,
        "resume": mbnas.resume_search,
        "stop": mbnas.stop_search,
    }[arguments.wish]
    steer(arguments.study)
    print(f"{arguments.study}: the search {_WILL[arguments.wish]}")
    return 0
