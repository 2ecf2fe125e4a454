"""A folder or zip of class folders, with parts of its own or without."""

from __future__ import annotations

import io
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image

from mbnas.data.duplicates import find_twins
from mbnas.data.source import PartName, Reader, Source
from mbnas.data.sources.tree import Tree, list_tree
from mbnas.errors import DataError

# HEIC stands here although PIL cannot open it: an error that names a photo is better than a photo
# that silently takes no part.
SUFFIXES = (
    *(".jpg", ".jpeg", ".jpe", ".jfif", ".jp2", ".png", ".bmp", ".gif", ".webp", ".avif"),
    *(".tif", ".tiff", ".ppm", ".pgm", ".pbm", ".pnm", ".heic", ".heif"),
)
PART_FOLDERS: Mapping[str, PartName] = {
    "train": "train",
    "training": "train",
    "test": "test",
    "testing": "test",
    "validation": "validation",
    "val": "validation",
    "valid": "validation",
}
DIRECTLY = ""
NAMED = 3
BREAKING = ("Cc", "Zl", "Zp")
"""Unicode's categories of control characters and of what ends a line: names stand in tables."""
SHAPE = "give <class>/<image>, or train/<class>/<image> and test/<class>/<image>"


def folder(spec: str, path: Path) -> Source:
    """Reads which images a folder or zip holds.

    The class folders stand directly in it, or in `train/` with `test/` or `validation/` (`val/`)
    beside it; one folder around all of that is looked through. Images may stand deeper inside a
    class folder. Other folders beside `train/`, images outside class folders, and files that by
    their suffix are no images take no part.

    Raises:
        DataError: The path holds no sound folder or zip, fewer than two classes, a class whose
            name has control characters, parts whose classes differ, or folders that may be parts
            as well as classes.
    """
    tree = _unwrapped(list_tree(spec, path))
    places = _places(spec, tree)
    classes = _classes(spec, tree, places)
    names: list[str] = []
    labels: list[int] = []
    given: dict[PartName, list[int]] = {part: [] for part in places.values()}
    for name in filter(_is_image, tree.files):
        place, class_name = _class_folder(name, places)
        if class_name is not None:
            given[places[place]].append(len(names))
            names.append(name)
            labels.append(classes.index(class_name))
    with tree.opened() as read:
        twins = find_twins([tree.files[name] for name in names], lambda index: read(names[index]))
    return Source(
        spec=spec,
        classes=classes,
        names=tuple(names),
        labels=np.array(labels, dtype=np.int64),
        twins=twins,
        given={part: np.array(members, dtype=np.int64) for part, members in given.items()},
        flip=True,
        crop=True,
        opened=partial(_opened, tree, tuple(names)),
    )


@contextmanager
def _opened(tree: Tree, names: tuple[str, ...]) -> Iterator[Reader]:
    with tree.opened() as read:
        yield lambda index: Image.open(io.BytesIO(read(names[index])))


def _is_image(name: str) -> bool:
    return name.lower().endswith(SUFFIXES)


def _top_folders(tree: Tree) -> list[str]:
    return sorted(name for name in tree.folders if "/" not in name)


def _unwrapped(tree: Tree) -> Tree:
    """Looks through a single outermost folder, as zips and archives mostly have one."""
    tops = _top_folders(tree)
    is_wrapped = len(tops) == 1 and any(name.count("/") > 1 for name in tree.files)
    return tree.below(tops[0]) if is_wrapped else tree


def _places(spec: str, tree: Tree) -> dict[str, PartName]:
    """Finds the folder of each part; without such folders the top ("") is all there is to train."""
    tops = _top_folders(tree)
    found = {top: PART_FOLDERS[top.lower()] for top in tops if top.lower() in PART_FOLDERS}
    parts = set(found.values())
    # Alone, "train" may as well be a class, next to "car" and "bus".
    if "train" in parts and len(parts) > 1:
        if len(parts) < len(found):
            raise DataError(f"{spec}: {', '.join(found)} name one part twice; keep one of them")
        return found
    if found and len(found) == len(tops) and "train" not in parts:
        raise DataError(f"{spec}: {', '.join(found)} but no train folder; {SHAPE}")
    _refuse_likely_parts(spec, tree, found)
    return {"": "train"}


def _refuse_likely_parts(spec: str, tree: Tree, found: Mapping[str, PartName]) -> None:
    """Refuses to take for a class what looks like a part, a folder of class folders."""
    inner: dict[str, set[str]] = {top: set() for top in _top_folders(tree)}
    for name in filter(_is_image, tree.files):
        top, slash, rest = name.partition("/")
        if slash:
            inner[top].add(rest.partition("/")[0] if "/" in rest else DIRECTLY)
    likely = [top for top, held in inner.items() if len(held) > 1 and DIRECTLY not in held]
    if len(likely) == len(inner) > 1 and all(inner[top] == inner[likely[0]] for top in likely):
        raise DataError(
            f"{spec}: {_named(likely)} all hold {_named(inner[likely[0]])}, as parts do; call them "
            "train and test or, if they are classes, put their images right into them"
        )
    for top in likely:
        if found.get(top) == "train" and len(inner) > 1:
            raise DataError(
                f"{spec}: {top} holds class folders ({_named(inner[top])}), and beside it stand "
                f"{_named(inner.keys() - {top})}; move these away or, if {top} is a class, put its "
                "images right into it"
            )


def _named(folders: Iterable[str]) -> str:
    names = sorted(folders)
    return ", ".join(names[:NAMED]) + (", ..." if len(names) > NAMED else "")


def _classes(spec: str, tree: Tree, places: Mapping[str, PartName]) -> tuple[str, ...]:
    present: dict[PartName, set[str]] = {part: set() for part in places.values()}
    for name in tree.folders:
        place, class_name = _class_folder(f"{name}/", places)
        if class_name is not None:
            present[places[place]].add(class_name)
    classes = tuple(sorted(present["train"]))
    if not classes:
        raise DataError(f"{spec}: {tree.path} has no class folders; {SHAPE}")
    if len(classes) == 1:
        raise DataError(
            f"{spec}: only one class, {classes[0]!r}; a classifier needs at least two class folders"
        )
    for name in classes:
        if any(unicodedata.category(letter) in BREAKING for letter in name):
            raise DataError(
                f"{spec}: class {name!r} has a line break, a tab or another control character in "
                "its name; rename it"
            )
    for part, found in present.items():
        for stranger in sorted(found.difference(classes)):
            raise DataError(
                f"{spec}: class {stranger!r} stands in {part} but not in train; add it to train "
                f"or remove it from {part}"
            )
    return classes


def _class_folder(name: str, places: Mapping[str, PartName]) -> tuple[str, str | None]:
    """Splits "train/cat/1.jpg" into its part's folder and its class, None outside of classes."""
    if "" in places:
        place, rest = "", name
    else:
        place, _, rest = name.partition("/")
    class_name, slash, _ = rest.partition("/")
    return place, class_name if slash and place in places else None
