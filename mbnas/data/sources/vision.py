"""torchvision's data sets by name, with the parts their authors published."""

from __future__ import annotations

import importlib
import struct
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from mbnas.data.source import PARTS, Indices, PartName, Reader, Source
from mbnas.errors import DataError

FLAG: Mapping[PartName, Mapping[str, object]] = {
    "train": {"train": True},
    "test": {"train": False},
}
SPLIT: Mapping[PartName, Mapping[str, object]] = {
    "train": {"split": "train"},
    "test": {"split": "test"},
}
THREE: Mapping[PartName, Mapping[str, object]] = {**SPLIT, "validation": {"split": "val"}}


@dataclass(frozen=True, slots=True)
class Published:
    """How torchvision holds one data set.

    Attributes:
        name: The class in `torchvision.datasets`.
        arguments: What its constructor takes for each of its parts.
        labels: Its attribute of labels; an element may be a (path, label) pair. Without it every
            image would have to be decoded to learn its class.
        files: Its attribute of image files, elements as above; None where it holds pixels.
        flip: Whether a mirrored image still shows the same class.
    """

    name: str
    arguments: Mapping[PartName, Mapping[str, object]]
    labels: str
    files: str | None = None
    flip: bool = True


PUBLISHED: Mapping[str, Published] = {
    published.name.lower(): published
    for published in (
        Published("CIFAR10", FLAG, "targets"),
        Published("CIFAR100", FLAG, "targets"),
        Published("MNIST", FLAG, "targets", flip=False),
        Published("FashionMNIST", FLAG, "targets", flip=False),
        Published("KMNIST", FLAG, "targets", flip=False),
        Published("USPS", FLAG, "targets", flip=False),
        Published("SVHN", SPLIT, "labels", flip=False),
        Published("STL10", SPLIT, "labels"),
        Published("Flowers102", THREE, "_labels", "_image_files"),
        Published("DTD", THREE, "_labels", "_image_files"),
        Published("FGVCAircraft", THREE, "_labels", "_image_files"),
        Published("Food101", SPLIT, "_labels", "_image_files"),
        Published("OxfordIIITPet", {**SPLIT, "train": {"split": "trainval"}}, "_labels", "_images"),
        # Mirrored, "turn left" reads "turn right".
        Published("GTSRB", SPLIT, "_samples", "_samples", flip=False),
        Published("EuroSAT", {"train": {}}, "targets", "samples"),
    )
}
# What torchvision's readers raise for files that are not there, cut short or changed.
_DAMAGED = (
    *(RuntimeError, OSError, ValueError, EOFError, LookupError, TypeError, AssertionError),
    *(struct.error, zlib.error),
)


def vision(spec: str, published: Published, root: Path) -> Source:
    """Opens a torchvision data set that already lies in a folder; nothing is downloaded.

    Raises:
        DataError: Its files are not there or cut short; the call that gets them is told.
    """
    parts = {
        part: _open_part(spec, published, root, published.arguments[part])
        for part in PARTS
        if part in published.arguments
    }
    labels = {part: _labels(part_set, published.labels) for part, part_set in parts.items()}
    starts = np.cumsum([0, *(len(members) for members in labels.values())]).tolist()
    every = np.concatenate(list(labels.values()))
    if not len(every) or every.min() < 0:
        raise DataError(f"{spec}: {root} holds no labels, or damaged ones; get it again")
    classes = _classes(parts["train"], int(every.max()) + 1)
    if every.max() >= len(classes):
        raise DataError(
            f"{spec}: {root} is damaged: a label {every.max()} among {len(classes)} classes"
        )
    return Source(
        spec=spec,
        classes=classes,
        names=tuple(f"{part}/{row:06d}" for part in parts for row in range(len(labels[part]))),
        labels=every,
        twins=np.arange(len(every), dtype=np.int64),
        given={
            part: np.arange(start, start + len(labels[part]), dtype=np.int64)
            for part, start in zip(parts, starts, strict=False)
        },
        flip=published.flip,
        crop=True,
        opened=partial(_opened, tuple(parts.values()), tuple(starts), published.files),
    )


@contextmanager
def _opened(parts: tuple[Any, ...], starts: tuple[int, ...], files: str | None) -> Iterator[Reader]:
    def read(index: int) -> Image.Image:
        part = int(np.searchsorted(starts, index, side="right")) - 1
        row = index - starts[part]
        if files is not None:
            # torchvision itself would decode it in full and drop its transparency, unlike infer.py.
            file = getattr(parts[part], files)[row]
            return Image.open(file[0] if isinstance(file, tuple) else file)
        image: Image.Image = parts[part][row][0]
        return image

    yield read


def _open_part(spec: str, published: Published, root: Path, arguments: Mapping[str, object]) -> Any:
    # torchvision brings torch, which commands that read no such data set should not wait for.
    data_sets = importlib.import_module("torchvision.datasets")
    try:
        return getattr(data_sets, published.name)(str(root), **arguments, download=False)
    except _DAMAGED as fault:
        wanted = "".join(f"{key}={value!r}, " for key, value in arguments.items())
        raise DataError(
            f"{spec}: torchvision finds no whole {published.name} in {root}; get it with "
            f"torchvision.datasets.{published.name}({str(root)!r}, {wanted}download=True)"
        ) from fault


def _labels(part_set: Any, attribute: str) -> Indices:
    found: Sequence[Any] = getattr(part_set, attribute)
    plain = [item[1] for item in found] if attribute == "_samples" else found
    return np.asarray(plain, dtype=np.int64)


def _classes(part_set: Any, count: int) -> tuple[str, ...]:
    names = getattr(part_set, "classes", None) or range(count)
    return tuple(str(name) for name in names)
