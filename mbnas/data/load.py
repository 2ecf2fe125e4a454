"""From what a user writes, such as "folder:photos", to a data set in three parts."""

from __future__ import annotations

import sys
from difflib import get_close_matches
from pathlib import Path

from mbnas.data.dataset import Dataset, Split
from mbnas.data.duplicates import shared_images
from mbnas.data.parts import split, take_subset
from mbnas.data.source import Source
from mbnas.data.sources.digits import digits
from mbnas.data.sources.folder import folder
from mbnas.data.sources.vision import PUBLISHED, vision
from mbnas.errors import DataError
from mbnas.network.checks import shown, whole


def load_data(
    spec: str | Path,
    *,
    seed: int = 0,
    validation: float = 0.2,
    test: float = 0.2,
    subset: int | None = None,
) -> Dataset:
    """Finds the images of a source and deals them into train, validation and test.

    Args:
        spec: "digits"; "folder:PATH", a folder or zip of class folders; or "NAME:ROOT", a
            torchvision data set that lies in ROOT, such as "cifar10:data". A `Path` is a folder
            or zip.
        seed: Equal seeds deal equal parts.
        validation: Fraction of the train images to take for validation, where the source has no
            validation part of its own.
        test: The same for the test part. Both fractions are of what the source has for training.
        subset: How many images of train and validation together to keep; the test part stays
            whole. None keeps all.

    Raises:
        DataError: The spec is unknown, or its images cannot make three parts.
    """
    if isinstance(spec, Path):
        spec = f"folder:{spec}"
    seed = _whole(spec, "seed", seed, least=0)
    if subset is not None:
        subset = _whole(spec, "subset", subset, least=1)
    if not (0 < validation < 1 and 0 <= test < 1 and validation + test < 1):
        raise DataError(
            f"{spec}: validation {validation} and test {test}; they must be fractions of which "
            "validation is above 0, and leave something to train on"
        )
    source = find_source(spec)
    parts = split(source, seed=seed, validation=validation, test=test)
    duplicates = shared_images(source, parts)
    if subset is not None:
        parts = take_subset(source, parts, size=subset, seed=seed)
    dealt = Split(seed, validation, test, subset)
    return Dataset(spec, source, parts, dealt, duplicates)


def _whole(spec: str, name: str, value: object, least: int) -> int:
    try:
        number: int = whole(least, sys.maxsize)(value)
        return number
    except ValueError as fault:
        raise DataError(f"{spec}: {name} {shown(value)}; it {fault}") from None


def find_source(spec: str) -> Source:
    """Finds what a spec names.

    Raises:
        DataError: Nothing is called that; the nearest name is told.
    """
    written, _, place = spec.partition(":")
    name = written.strip().lower()
    if name == "digits":
        if place:
            raise DataError(f"{spec}: digits takes no path; write digits")
        return digits(spec)
    if name != "folder" and name not in PUBLISHED:
        raise DataError(_unknown(spec, name))
    if not place:
        wanted = "folder:PATH" if name == "folder" else f"{name}:ROOT"
        raise DataError(f"{spec}: no path; write {wanted}")
    try:
        path = Path(place).expanduser()
    except RuntimeError:
        raise DataError(
            f"{spec}: nobody of that name has a home here; write the path out"
        ) from None
    return folder(spec, path) if name == "folder" else vision(spec, PUBLISHED[name], path)


def _unknown(spec: str, name: str) -> str:
    known = ["digits", "folder", *PUBLISHED]
    near = get_close_matches(name, known, n=1)
    if _is_there(spec):
        hint = f"for the images in that place write folder:{spec}"
    elif near:
        hint = f"did you mean {near[0]}?"
    else:
        hint = "write one of these"
    return (
        f"{spec}: no data source {name!r}; {hint} "
        f"(there are digits, folder:PATH and, as NAME:ROOT, {', '.join(PUBLISHED)})"
    )


def _is_there(spec: str) -> bool:
    try:
        return Path(spec).expanduser().exists()
    except (OSError, RuntimeError):  # too long for a path, or in nobody's home
        return False
