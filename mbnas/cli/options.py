"""Options that several verbs have: the images, and how to train on them."""

from __future__ import annotations

import argparse
import re
from pathlib import Path

import mbnas
from mbnas.training.recipe_file import read_recipe_fields

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


def read_data(arguments: argparse.Namespace) -> mbnas.Dataset:
    """The images that the arguments name; says which of them stand in two parts."""
    data = mbnas.load_data(
        arguments.data,
        seed=arguments.seed,
        validation=arguments.validation,
        subset=arguments.subset,
    )
    for one, other in data.duplicates:
        print(f"note: {one} and {other} are the same image in two parts")
    return data


def read_recipe(
    arguments: argparse.Namespace, data: mbnas.Dataset, space: mbnas.SearchSpace, times: int = 1
) -> mbnas.Recipe:
    """The usual recipe for these images, changed by the file, and that by the options.

    Where neither says how many epochs, it has so many times the usual ones.
    """
    given = {} if arguments.recipe is None else read_recipe_fields(arguments.recipe)
    options = {
        "epochs": arguments.epochs,
        "batch_size": arguments.batch_size,
        "learning_rate": arguments.learning_rate,
        "flip": False if arguments.no_flip else None,
    }
    given |= {key: value for key, value in options.items() if value is not None}
    images, resolution = data.sizes["train"], space.resolutions[-1]
    given.setdefault("epochs", times * mbnas.Recipe.for_images(images, resolution).epochs)
    return mbnas.Recipe.for_images(images, resolution, **given)


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
