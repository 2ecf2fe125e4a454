"""mbnas steer: pause a running search, let it go on, or end it early."""

from __future__ import annotations

import argparse

import mbnas

_WILL = {
    "pause": "will pause: what is being measured or trained goes on to its end or next rung",
    "resume": "will go on",
    "stop": "will end: no new network begins, what is in evaluation ends first",
}


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
