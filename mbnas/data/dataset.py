"""A data set dealt into three parts, and the decoding of one part."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import psutil

from mbnas.data.images import UNREADABLE, to_array
from mbnas.data.source import PARTS, Indices, PartName, Reader, Source
from mbnas.errors import DataError

GIB = 2**30
# The rest is left to the training that wants these images.
USABLE_MEMORY = 0.8
# Long enough that handing work to a thread costs nothing beside it, short enough for progress.
CHUNK = 16
SMALL = 128
MOST_THREADS = 16
NAMED = 5


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """One decoded part.

    Attributes:
        images: uint8 of shape (N, 3, R, R).
        labels: int64 of shape (N,), class indices.
    """

    images: npt.NDArray[np.uint8]
    labels: Indices


@dataclass(frozen=True, slots=True)
class Split:
    """How a source was dealt into parts, so that it can be dealt again.

    Attributes:
        seed: Equal seeds deal equal parts.
        validation: Fraction taken for validation.
        test: Fraction taken for the test part.
        subset: Images of train and validation together that were kept; None for all.
    """

    seed: int = 0
    validation: float = 0.2
    test: float = 0.2
    subset: int | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Dataset:
    """Labelled images in three parts; nothing is decoded before `decode` asks for it.

    Attributes:
        spec: What the user wrote, such as "folder:photos".
        source: Where the images come from.
        parts: Which image of the source stands in which part, by index.
        split: How they were dealt.
        duplicates: Pairs of names of equal image files that stand in two different parts, few
            enough to be told and not refused (see `mbnas.data.duplicates`).
    """

    spec: str
    source: Source = field(repr=False)
    parts: Mapping[PartName, Indices] = field(repr=False)
    split: Split = Split()
    duplicates: tuple[tuple[str, str], ...] = field(default=(), repr=False)

    @property
    def classes(self) -> tuple[str, ...]:
        """Class names in the order of their indices."""
        return self.source.classes

    @property
    def flip(self) -> bool:
        """Whether a mirrored image still shows the same class."""
        return self.source.flip

    @property
    def crop(self) -> bool:
        """Whether a shifted image still shows the same class."""
        return self.source.crop

    @property
    def sizes(self) -> Mapping[PartName, int]:
        """Number of images in each part."""
        return {name: len(self.parts[name]) for name in PARTS}

    def members(self, part: PartName) -> npt.NDArray[np.int64]:
        """Number of images of each class in a part."""
        labels = self.source.labels[self.parts[part]]
        return np.bincount(labels, minlength=len(self.classes))

    def digest(self) -> str:
        """Hashes the class names and which image with which label stands in which part.

        The place of the data set does not enter, nor whether a folder is zipped, so that a study
        can be carried to another machine.
        """
        digest = hashlib.blake2b(digest_size=8)
        digest.update(repr(self.classes).encode())
        for name in PARTS:
            members = sorted(
                (self.source.names[index], int(self.source.labels[index]))
                for index in self.parts[name]
            )
            digest.update(repr((name, members)).encode())
        return digest.hexdigest()

    def decode(
        self,
        part: PartName,
        resolution: int,
        progress: Callable[[int, int], None] | None = None,
    ) -> Part:
        """Decodes one part at a resolution, in threads.

        Args:
            part: "train", "validation" or "test".
            resolution: Pixels of each side of the square images.
            progress: Called with (images done, images in all), in the calling thread.

        Raises:
            DataError: Images cannot be read (they are named), or the part does not fit in memory.
        """
        if part not in self.parts:
            raise DataError(f"{self.spec}: no part {part!r}; there are {', '.join(PARTS)}")
        if resolution < 1:
            raise DataError(f"{self.spec}: resolution {resolution}; it must be at least 1")
        indices = self.parts[part]
        shape = (len(indices), 3, resolution, resolution)
        self._require_memory(part, shape)
        # In memory as training wants them, channels last, so that it takes no copy.
        images = np.empty((*shape[:1], *shape[2:], 3), dtype=np.uint8).transpose(0, 3, 1, 2)
        faults: list[str] = []
        done = 0
        with self.source.opened() as read:
            for size, found in self._fill(images, indices, read):
                faults += found
                done += size
                if progress is not None:
                    progress(done, len(indices))
        if faults:
            raise DataError(_unreadable(self.spec, part, faults))
        return Part(images, self.source.labels[indices])

    def _fill(
        self, images: npt.NDArray[np.uint8], indices: Indices, read: Reader
    ) -> Iterator[tuple[int, list[str]]]:
        resolution = images.shape[-1]

        def fill(start: int) -> tuple[int, list[str]]:
            faults = []
            chunk = indices[start : start + CHUNK].tolist()
            for row, index in enumerate(chunk, start):
                try:
                    with read(index) as image:
                        images[row] = to_array(image, resolution)
                except UNREADABLE as fault:
                    faults.append(f"{self.source.names[index]} ({_reason(fault)})")
            return len(chunk), faults

        with ThreadPoolExecutor(_useful_threads(indices, read)) as threads:
            yield from threads.map(fill, range(0, len(indices), CHUNK))

    def _require_memory(self, part: PartName, shape: tuple[int, ...]) -> None:
        needed = int(np.prod(shape, dtype=np.int64))
        available = psutil.virtual_memory().available
        if needed > USABLE_MEMORY * available:
            raise DataError(
                f"{self.spec}: the {part} part, {shape[0]} images at resolution {shape[-1]}, "
                f"needs {needed / GIB:.1f} GiB of memory and {available / GIB:.1f} GiB are "
                f"available, of which {USABLE_MEMORY:.0%} may be used; lower the resolution or "
                "take a subset"
            )


def _useful_threads(indices: Indices, read: Reader) -> int:
    """Threads by the size of the first image.

    Decoding lets go of the interpreter lock and what surrounds it does not, so that threads speed
    photos up and slow thumbnails down: 10,000 CIFAR-10 files took 4.3 s in one thread and 6.2 s
    in two, on two cores; photos of 12 megapixels gained from the second.
    """
    try:
        with read(int(indices[0])) as image:
            is_small = max(image.size) <= SMALL
    except UNREADABLE:
        # No image, or one that decoding will name.
        is_small = False
    return 1 if is_small else min(MOST_THREADS, os.cpu_count() or 1)


def _reason(fault: Exception) -> str:
    # PIL puts the repr of the byte stream into its message, which tells a user nothing.
    text = str(fault).split("<_io", maxsplit=1)[0].strip() or type(fault).__name__
    return " ".join(text.split())


def _unreadable(spec: str, part: PartName, faults: list[str]) -> str:
    named = ", ".join(faults[:NAMED])
    more = f" and {len(faults) - NAMED} more" if len(faults) > NAMED else ""
    images = "1 image" if len(faults) == 1 else f"{len(faults)} images"
    return f"{spec}: {images} of {part} cannot be read: {named}{more}; replace or delete them"
