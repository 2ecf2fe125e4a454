"""What every source of images hands over: a list of labelled images, not yet decoded."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
from PIL import Image

PartName = Literal["train", "validation", "test"]
PARTS: tuple[PartName, ...] = ("train", "validation", "test")

Indices = npt.NDArray[np.int64]
Reader = Callable[[int], Image.Image]


@dataclass(frozen=True, slots=True, eq=False)
class Source:
    """The images of one data set, by index; index i means the same image everywhere.

    Attributes:
        spec: What the user wrote, the place that errors name.
        classes: Class names in the order of their indices.
        names: One stable name per image, free of the place where the data set lies.
        labels: Class index per image, of shape (N,).
        twins: Equal numbers mark images that are equal byte for byte, of shape (N,).
        given: Image indices of the parts the source itself makes; "train" always stands here,
            and the parts that are missing are taken out of it.
        flip: Whether a mirrored image still shows the same class.
        crop: Whether a shifted image still shows the same class.
        opened: Opens what holds the images and yields a thread-safe function from an index to
            an image that may still be undecoded.
    """

    spec: str
    classes: tuple[str, ...]
    names: tuple[str, ...]
    labels: Indices
    twins: Indices
    given: Mapping[PartName, Indices]
    flip: bool
    crop: bool
    opened: Callable[[], AbstractContextManager[Reader]]
