"""What mbnas confirm takes."""

from __future__ import annotations

import argparse
from pathlib import Path

from mbnas.cli.arguments.shared import add_contest

_EPILOG = """\
examples:
  mbnas confirm studies/photos                            front, 4 networks near it, baselines
  mbnas confirm studies/photos --epochs 60 --seeds 5
  mbnas confirm studies/photos --baselines mobilenet_v2@0.5 torchvision:resnet18

A search trains briefly, which is enough to rank networks and not to know them. Here the front, what
lies nearest to it and the study's baselines (see mbnas baselines) are trained fully with several
seeds, and timed anew, all together. When that is done the test part is opened, which nothing has
seen until then; each opening is written down in study.json. The confirmed front is chosen by
validation accuracy; report and dashboard show it, and mbnas export picks from it.

RECIPE is a file as for mbnas search; without it, it is the search's own, 6 times as long. Of
the search's it keeps that length, precision, flip and crop, where it names none of its own.

Ctrl-C and kills are safe at any time: the same command goes on, at the epoch, and trains nothing
twice.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the verb's arguments."""
    parser.epilog = _EPILOG
    parser.add_argument("study", metavar="STUDY", type=Path, help="a study's folder")
    parser.add_argument(
        "--seeds", type=int, default=3, help="trainings of each network (default 3)"
    )
    parser.add_argument("--near", type=int, default=4, help="networks off the front (default 4)")
    parser.add_argument(
        "--baselines", nargs="*", metavar="NETWORK", help="by default those that the study has"
    )
    parser.add_argument(
        "--epochs", type=int, help="of the full training (default 6 times the search's)"
    )
    parser.add_argument("--recipe", type=Path, metavar="RECIPE", help="a file, see below")
    add_contest(parser)
