"""scikit-learn's handwritten digits: real, small, and on every machine."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

import numpy as np
import numpy.typing as npt
from PIL import Image

from mbnas.data.source import Reader, Source

BRIGHTEST = 16


def digits(spec: str = "digits") -> Source:
    """1,797 grey digits of 8×8 pixels, ten classes, no parts of their own.

    Source: E. Alpaydin and C. Kaynak, Optical Recognition of Handwritten Digits, UCI, 1998.
    """
    # scikit-learn takes a second to import, and most commands never need it.
    from sklearn.datasets import load_digits

    bunch = load_digits()
    pixels = np.rint(bunch.images * (255 / BRIGHTEST)).astype(np.uint8)
    labels = bunch.target.astype(np.int64)
    count = len(pixels)
    _, twins = np.unique(pixels.reshape(count, -1), axis=0, return_inverse=True)
    return Source(
        spec=spec,
        classes=tuple(str(digit) for digit in range(10)),
        names=tuple(f"{index:04d}" for index in range(count)),
        labels=labels,
        twins=twins.reshape(count).astype(np.int64),
        given={"train": np.arange(count, dtype=np.int64)},
        flip=False,
        # A digit fills its eight pixels, so that a shift cuts strokes off.
        crop=False,
        opened=partial(_opened, pixels),
    )


@contextmanager
def _opened(pixels: npt.NDArray[np.uint8]) -> Iterator[Reader]:
    yield lambda index: Image.fromarray(pixels[index])
