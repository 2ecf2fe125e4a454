"""What mbnas baselines takes."""

from __future__ import annotations

import argparse
from pathlib import Path

from mbnas.cli.arguments.shared import add_contest
from mbnas.network import REFERENCES

_EPILOG = f"""\
examples:
  mbnas baselines studies/photos                                       the usual ones, see below
  mbnas baselines studies/photos mobilenet_v2@0.35 efficientnet_b0 torchvision:resnet18
  mbnas baselines studies/photos --random                              a random search too

NETWORK  a reference ({", ".join(REFERENCES)}), with a factor of its widths behind @ if it is not 1;
         or torchvision:NAME, any classifier of torchvision. Without any:
         mobilenet_v1@0.5, mobilenet_v2@0.35, mobilenet_v2@0.5, efficientnet_b0@0.5

Each is trained once by the study's own recipe, at its largest resolution, and timed as its trials
were. On small images references drop strides until their last map is 4×4. What is there stays, and
every plot of the study shows it. The random search has as many epochs as the study spent.

A brief training ranks networks and shows none at its best: mbnas confirm trains front and
baselines fully, with several seeds, and compares them on the test part.

Ctrl-C is safe at any time: the same command goes on, at the epoch.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the verb's arguments."""
    parser.epilog = _EPILOG
    parser.add_argument("study", metavar="STUDY", type=Path, help="a study's folder")
    parser.add_argument("networks", metavar="NETWORK", nargs="*", help="which, see below")
    parser.add_argument("--random", action="store_true", help="search at random too")
    add_contest(parser)
