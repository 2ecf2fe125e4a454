"""A recipe from a TOML file: one table, `[recipe]`, with the fields of `Recipe`."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import Any

from mbnas.errors import BuildError, SpaceError
from mbnas.network.checks import check_keys
from mbnas.network.toml_text import parse_toml
from mbnas.training.recipe import Recipe


def read_recipe_fields(path: str | Path) -> dict[str, Any]:
    """What a recipe's file says, before defaults are put beside it.

    Raises:
        BuildError: the file cannot be read, or says what no recipe has.
    """
    path = Path(path)
    try:
        if path.exists() and not path.is_file():  # a device may never end, a pipe never begin
            raise BuildError(f"{path}: not a file; give a recipe's file")
        # Without the byte-order mark that editors on Windows may begin a file with.
        table = parse_toml(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise BuildError(f"{path}: cannot be read ({error.strerror})") from None
    except ValueError as error:  # no TOML, or no UTF-8
        raise BuildError(f"{path}: not TOML: {error}") from None
    try:
        check_keys(table, ["recipe"], str(path))
        given = check_keys(table.get("recipe", {}), _NAMES, f"{path}: recipe")
    except SpaceError as error:
        raise BuildError(str(error)) from None
    if not given:
        raise BuildError(f"{path}: has no table [recipe]; its keys are {', '.join(_NAMES)}")
    try:
        Recipe(**given)
    except BuildError as error:
        raise BuildError(f"{path}: recipe.{error}") from None
    return dict(given)


def load_recipe(path: str | Path) -> Recipe:
    """The recipe in a TOML file; what it leaves out has its default.

    Raises:
        BuildError: the file cannot be read, or says what no recipe has.
    """
    return Recipe(**read_recipe_fields(path))


_NAMES = tuple(field.name for field in fields(Recipe))
