"""A study's images, as its trials saw them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray

from mbnas.analysis.study_data import study_data
from mbnas.data import PartName
from mbnas.errors import ExportError
from mbnas.search import Study
from mbnas.training.images import ImageTensors, Normalisation

BATCH = 100


class StudyImages:
    """The parts of a study's data, decoded when they are asked for.

    Args:
        study: The study.
        moved_to: Where its images are, `folder:PATH` or the like, if they have moved.

    Raises:
        ExportError: it was searched without real training.
        DataError: the images are not there, or are others.
    """

    def __init__(self, study: Study, moved_to: str | None = None) -> None:
        self.normalisation = _normalisation(study)
        self._resolution = study.space.resolutions[-1]
        self._data = study_data(study, moved_to)

    def part(self, name: PartName, most: int | None = None) -> ImageTensors:
        """One part, or so many images spread over it.

        Raises:
            DataError: images cannot be read.
        """
        data, indices = self._data, self._data.parts[name]
        if most is not None:
            data = replace(data, parts={**data.parts, name: indices[spread(len(indices), most)]})
        decoded = data.decode(name, self._resolution)
        return ImageTensors(decoded, self.normalisation, torch.device("cpu"))


def spread(length: int, most: int) -> NDArray[np.int64]:
    """At most so many positions, evenly spread: a part's images may be sorted by class."""
    return np.unique(np.linspace(0, length - 1, min(length, most)).astype(np.int64))


def batches(
    images: ImageTensors, resolution: int, most: int | None = None
) -> Iterator[NDArray[np.float32]]:
    """Normalised images (N, 3, R, R), all or so many spread over them."""
    pixels = images.at(resolution)
    if most is not None:
        pixels = pixels[torch.from_numpy(spread(len(images), most))]
    for chunk in torch.split(pixels, BATCH):
        yield images.normalised(chunk).contiguous().numpy()


def _normalisation(study: Study) -> Normalisation:
    normalisation = study.record.data.normalisation
    if normalisation is None:
        raise ExportError(f"{study.folder.path}: was searched without real training")
    if (len(normalisation.mean), len(normalisation.std)) != (3, 3):
        raise ExportError(f"{study.folder.record_file}: damaged at data.normalisation")
    return normalisation
