"""Three parts: dealt per class, by seed, whatever order the file system lists files in."""

from __future__ import annotations

from collections.abc import Mapping
from math import floor

import numpy as np

from mbnas.data.source import PARTS, Indices, PartName, Source
from mbnas.errors import DataError

Parts = dict[PartName, Indices]


def split(source: Source, *, seed: int, validation: float, test: float) -> Parts:
    """Takes the parts that the source does not give out of its train part, class by class.

    A fraction counts distinct images: copies of one file follow it into its part, so that none
    leaks from train into validation. Every class gets at least one distinct image in each part.

    Args:
        source: The images, their labels and the parts that are already made.
        seed: Equal seeds deal equal parts.
        validation: Fraction of the train part to take for validation.
        test: Fraction of the train part to take for the test; 0 leaves that part empty.

    Raises:
        DataError: A class has too few images; it is named with the number it needs.
    """
    fractions: dict[PartName, float] = {"test": test, "validation": validation}
    wanted = {
        part: fraction
        for part, fraction in fractions.items()
        if fraction > 0 and part not in source.given
    }
    _require_every_class(source)
    dealt: dict[PartName, list[Indices]] = {part: [] for part in ("train", *wanted)}
    pool = source.given["train"]
    for label in range(len(source.classes)):
        members = pool[source.labels[pool] == label]
        for part, images in _deal(source, members, label, wanted, seed).items():
            dealt[part].append(images)
    nothing = np.empty(0, dtype=np.int64)
    parts: Parts = {part: source.given.get(part, nothing) for part in PARTS}
    return parts | {part: np.sort(np.concatenate(images)) for part, images in dealt.items()}


def _require_every_class(source: Source) -> None:
    for part, images in source.given.items():
        present = np.bincount(source.labels[images], minlength=len(source.classes))
        for name, count in zip(source.classes, present, strict=True):
            if count == 0:
                raise DataError(
                    f"{source.spec}: class {name!r} has no image in {part}; add at least one, "
                    "or remove the class everywhere"
                )


def _deal(
    source: Source, members: Indices, label: int, wanted: Mapping[PartName, float], seed: int
) -> Parts:
    _, distinct = np.unique(source.twins[members], return_inverse=True)
    total = int(distinct.max()) + 1
    if total <= len(wanted):
        raise DataError(
            f"{source.spec}: class {source.classes[label]!r} has {total} distinct "
            f"{'image' if total == 1 else 'images'} in train; it needs at least "
            f"{len(wanted) + 1}, one for each of {', '.join(('train', *wanted))}"
        )
    order = np.random.default_rng([seed, label]).permutation(total)
    parts: Parts = {}
    start = 0
    for position, (part, fraction) in enumerate(wanted.items()):
        # Each part still to come, train among them, keeps at least one.
        most = total - start - (len(wanted) - position)
        size = min(max(1, floor(total * fraction + 0.5)), most)
        parts[part] = members[np.isin(distinct, order[start : start + size])]
        start += size
    return parts | {"train": members[np.isin(distinct, order[start:])]}


def take_subset(source: Source, parts: Parts, *, size: int, seed: int) -> Parts:
    """Keeps `size` images of train and validation together; the test part stays whole.

    The share of each class and of each part is kept, and at least one image of each class in
    each of the two parts.

    Raises:
        DataError: There are fewer images than that, or the classes need more.
    """
    reduced: tuple[PartName, ...] = ("train", "validation")
    cells = [
        (part, parts[part][source.labels[parts[part]] == label])
        for part in reduced
        for label in range(len(source.classes))
    ]
    total = sum(len(images) for _, images in cells)
    if not len(cells) <= size <= total:
        raise DataError(
            f"{source.spec}: a subset of {size} images; it must be at least {len(cells)}, one "
            f"of each class in train and in validation, and at most {total}, all there are"
        )
    kept: dict[PartName, list[Indices]] = {part: [] for part in reduced}
    shares = _share([len(images) for _, images in cells], size)
    for number, ((part, images), share) in enumerate(zip(cells, shares, strict=True)):
        order = np.random.default_rng([seed, number]).permutation(len(images))
        kept[part].append(images[order[:share]])
    return parts | {part: np.sort(np.concatenate(images)) for part, images in kept.items()}


def _share(sizes: list[int], total: int) -> list[int]:
    """Shares `total` among cells in proportion to their sizes, by largest remainder, each ≥ 1."""
    quotas = [total * size / sum(sizes) for size in sizes]
    shares = [max(1, floor(quota)) for quota in quotas]
    cells = range(len(sizes))
    while sum(shares) < total:
        poorest = max(
            (cell for cell in cells if shares[cell] < sizes[cell]),
            key=lambda cell: quotas[cell] - shares[cell],
        )
        shares[poorest] += 1
    while sum(shares) > total:
        richest = min(
            (cell for cell in cells if shares[cell] > 1),
            key=lambda cell: quotas[cell] - shares[cell],
        )
        shares[richest] -= 1
    return shares
