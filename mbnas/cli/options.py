"""The images and the recipe that arguments name."""

from __future__ import annotations

import argparse

import mbnas
from mbnas.training.recipe_file import read_recipe_fields


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
