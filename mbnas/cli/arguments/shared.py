"""Arguments that several verbs take, and what their texts mean."""

from __future__ import annotations

import argparse
import re
from pathlib import Path

import mbnas

_SECONDS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400}
DATA_HELP = """\
DATA   digits                scikit-learn's handwritten digits, nothing to download
       folder:PATH           a folder or zip of class folders, under train/ and test/ or not
       NAME:ROOT             a torchvision data set that lies in ROOT, such as cifar10:data
RECIPE a TOML file with one table, [recipe], see docs/training.md; what it leaves out has its
       default, which goes by the number and size of the images
"""


def add_data(parser: argparse.ArgumentParser) -> None:
    """Which images; `read_data` reads them."""
    parser.epilog = f"{parser.epilog}\n{DATA_HELP}"
    images = parser.add_argument_group("images")
    images.add_argument("--data", required=True, metavar="DATA", help="which, see below")
    images.add_argument(
        "--subset", type=int, metavar="N", help="use N images to train and validate"
    )
    images.add_argument(
        "--validation", type=float, default=0.2, metavar="SHARE", help="held out (default 0.2)"
    )
    images.add_argument("--no-flip", action="store_true", help="mirrored images are not the same")


def add_training(parser: argparse.ArgumentParser, epochs: str) -> None:
    """How to train; `read_recipe` reads it. `epochs` is the help on their number."""
    training = parser.add_argument_group("training")
    training.add_argument("--recipe", type=Path, metavar="RECIPE", help="a file, see below")
    training.add_argument("--epochs", type=int, help=epochs)
    training.add_argument("--batch-size", type=int, help="by default chosen by the images' number")
    training.add_argument("--learning-rate", type=float, help="peak, at batch size 256")
    training.add_argument("--device", help="cpu, cuda, ... (default a GPU where there is one)")
    training.add_argument(
        "--pack",
        type=pack,
        metavar="N|auto",
        help="networks trained at once (auto: one a core, at most four; on a GPU one in"
        " this process, or four workers)",
    )


def add_contest(parser: argparse.ArgumentParser) -> None:
    """What baselines and confirm have in common."""
    parser.add_argument("--data", help="the study's images, where they no longer lie there")
    parser.add_argument("--device", help="cpu, cuda, ... (default a GPU where there is one)")
    parser.add_argument(
        "--pack",
        type=pack,
        metavar="N|auto",
        help="networks trained at once (auto: one a core, at most four; on a GPU one)",
    )


def pack(text: str) -> int | None:
    """A number of networks, or None for `auto`."""
    if text == "auto":
        return None
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text}: write a number of networks, or auto")
    return int(text)


def epochs(text: str) -> tuple[int, ...]:
    """Numbers of epochs, such as `1,3`."""
    try:
        return tuple(int(part) for part in text.split(","))
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text}: write epochs, such as 1,3") from None


def limit(text: str) -> mbnas.Limit:
    """A hard bound, such as `latency_ms=2`."""
    match = re.fullmatch(r"(\w+)\s*<?=\s*([0-9.eE+-]+)", text)
    try:
        if match:
            return mbnas.Limit(match[1], float(match[2]))
    except (ValueError, mbnas.StudyError) as error:
        raise argparse.ArgumentTypeError(str(error)) from None
    raise argparse.ArgumentTypeError(f"{text}: write a cost and a number, such as latency_ms=2")


def seconds(text: str) -> float:
    """A time, such as `30m`."""
    match = re.fullmatch(r"([0-9]*\.?[0-9]+)([smhd]?)", text)
    if not match:
        raise argparse.ArgumentTypeError(f"{text}: write a time such as 90s, 30m or 2h")
    return float(match[1]) * _SECONDS[match[2]]
