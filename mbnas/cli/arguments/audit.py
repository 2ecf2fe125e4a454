"""What mbnas audit takes."""

from __future__ import annotations

import argparse
from pathlib import Path

from mbnas.cli.arguments.shared import add_data, add_training, epochs

_EPILOG = """\
examples:
  mbnas audit digits_tiny --data digits --epochs 30
  mbnas audit cifar_mobile --data folder:cifar10.zip --subset 3000 --epochs 24 --schedules 2,4,8

A search trains networks briefly and trusts the order that this gives. An audit says how far one
may trust it: it draws networks from the space, trains each fully (some with a second seed, which
shows how well an order can be known at all) and by shorter schedules, and shows how early the
final order can be foretold. It recommends the fewest epochs that are good enough: of a short
schedule, which is what to give a search as --epochs; or, if that is earlier, of the full one, at
which to look (--rungs).

Ctrl-C is safe at any time: the same command goes on, at the epoch. With more --networks, more of
them --twice or other --schedules it trains what is not there yet.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the verb's arguments."""
    parser.epilog = _EPILOG
    parser.add_argument("file", metavar="FILE", help="search-space file, or a shipped space's name")
    parser.add_argument("--out", type=Path, help="its folder (default studies/audits/NAME)")
    sample = parser.add_argument_group("what is trained")
    sample.add_argument(
        "--networks", type=int, default=24, help="drawn from the space (default 24)"
    )
    sample.add_argument(
        "--twice",
        type=int,
        default=8,
        help="with a second seed (default 8; with fewer nothing is recommended)",
    )
    sample.add_argument(
        "--schedules",
        type=epochs,
        default=(),
        metavar="N,N",
        help="short ones, in epochs (default a tenth, a fifth and a third)",
    )
    sample.add_argument("--seed", type=int, default=0, help="of everything drawn (default 0)")
    sample.add_argument(
        "--quality", default="accuracy", help="accuracy or balanced_accuracy (default accuracy)"
    )
    add_data(parser)
    add_training(parser, epochs="of the full training (default six times a search's)")
