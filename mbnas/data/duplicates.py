"""Equal image files that stand in two parts.

A model that has seen an image in training answers it by heart, so such images make an accuracy
look better than it is. Where mbnas deals the parts, copies within a class stay together and
nothing is left to find. Where folders give the parts, or one file stands in two classes, the rule
is: up to 1 % of a part is told (`Dataset.duplicates`, which the command line prints), since large
published data sets do hold a few; more is refused. The CIFAR-10 of this project's tests, 60,000
JPEG files, holds none, neither by bytes nor by decoded pixels.

The parts that torchvision publishes are taken as they are.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from hashlib import blake2b

import numpy as np

from mbnas.data.images import UNREADABLE
from mbnas.data.parts import Parts
from mbnas.data.source import PARTS, Indices, Source
from mbnas.errors import DataError

TOLERATED = 0.01
NAMED = 5


def find_twins(marks: Sequence[Hashable], read: Callable[[int], bytes]) -> Indices:
    """Numbers files so that two carry one number exactly if their bytes are equal.

    Args:
        marks: One cheap mark per file, such as its size, that equal files share; only files
            whose marks meet are read.
        read: The bytes of one file, by index.

    Returns:
        int64 of shape (N,): for each file the index of the first one equal to it.
    """
    meeting: dict[Hashable, list[int]] = {}
    for index, mark in enumerate(marks):
        meeting.setdefault(mark, []).append(index)
    twins = np.arange(len(marks), dtype=np.int64)
    for files in meeting.values():
        first: dict[bytes, int] = {}
        for index in files if len(files) > 1 else ():
            try:
                digest = blake2b(read(index), digest_size=16).digest()
            except UNREADABLE:
                # Decoding reads every file again and names those it cannot read.
                continue
            twins[index] = first.setdefault(digest, index)
    return twins


def shared_images(source: Source, parts: Parts) -> tuple[tuple[str, str], ...]:
    """Finds the images that stand in two parts, as pairs of names.

    Raises:
        DataError: More than 1 % of a part stands in another one too.
    """
    where = np.full(len(source.names), -1, dtype=np.int64)
    for number, part in enumerate(PARTS):
        where[parts[part]] = number
    _, group, copies = np.unique(source.twins, return_inverse=True, return_counts=True)
    candidates = np.flatnonzero((copies[group] > 1) & (where >= 0))
    first: dict[int, int] = {}
    pairs: list[tuple[str, str]] = []
    affected: set[int] = set()
    for index in sorted(candidates.tolist(), key=lambda index: (where[index], index)):
        earlier = first.setdefault(int(group[index]), index)
        if where[earlier] != where[index]:
            pairs.append((source.names[earlier], source.names[index]))
            affected |= {earlier, index}
    # The part whose accuracy suffers most is told first.
    for part in reversed(PARTS):
        count = len(affected.intersection(parts[part].tolist()))
        if count > TOLERATED * len(parts[part]):
            named = ", ".join(f"{one} = {other}" for one, other in pairs[:NAMED])
            more = f" and {len(pairs) - NAMED} more pairs" if len(pairs) > NAMED else ""
            raise DataError(
                f"{source.spec}: {count} of {len(parts[part])} images of {part} stand in another "
                f"part too: {named}{more}; delete one of each, or accuracies are flattered"
            )
    return tuple(pairs)
