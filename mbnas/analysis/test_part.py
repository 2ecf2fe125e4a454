"""The test part: opened by confirming alone, and every opening logged."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Annotated, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationInfo

from mbnas.analysis.records import read_file, write_file
from mbnas.data import Dataset
from mbnas.measure.foreign import load_weights
from mbnas.model import AnyNetwork, build_seeded
from mbnas.search.record import now
from mbnas.training.images import ImageTensors, Normalisation
from mbnas.training.trainer import Weights

TEST_FILE = "test.json"
SCHEMA = 1
_BATCH = 256

Hits = NDArray[np.bool_]
"""For each image of the test part, whether it is classified rightly."""


class Tester(Protocol):
    """Runs trained networks on a test part."""

    @property
    def labels(self) -> NDArray[np.int64]:
        """Class of each image."""
        ...

    def hits(self, network: AnyNetwork, weights: Weights) -> Hits:
        """Which images a network classifies rightly."""
        ...


class TorchTester:
    """Runs networks with PyTorch, in float32.

    Args:
        data: The images.
        resolution: To which they are decoded.
        normalisation: Of the training part.
        device: Where to run.
        progress: Hears of images decoded, of images in the part.

    Raises:
        DataError: images that cannot be read.
    """

    def __init__(
        self,
        data: Dataset,
        resolution: int,
        normalisation: Normalisation,
        device: torch.device,
        progress: Callable[[int, int], None],
    ) -> None:
        part = data.decode("test", resolution, progress)
        self._images = ImageTensors(part, normalisation, device)
        self._device = device
        self._classes = len(data.classes)
        self.labels: NDArray[np.int64] = part.labels

    @torch.inference_mode()
    def hits(self, network: AnyNetwork, weights: Weights) -> Hits:
        """Which images a network classifies rightly."""
        module = build_seeded(network, self._classes, seed=0)
        load_weights(module, weights)
        module = module.to(self._device).to(memory_format=torch.channels_last).eval()
        found = [
            (module(images).argmax(1) == labels).cpu().numpy()
            for images, labels in self._images.batches(network.resolution, _BATCH)
        ]
        return np.concatenate(found)


class Opening(BaseModel):
    """One opening of the test part."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    opened: datetime
    trainings: tuple[str, ...]

    @property
    def said(self) -> str:
        """In a line, for study.json."""
        return f"{self.opened.isoformat()} confirm: {len(self.trainings)} trained networks"


def _check_hits(hits: dict[str, str], info: ValidationInfo) -> dict[str, str]:
    images = len(info.data.get("labels", ()))
    for name, packed in hits.items():
        if len(base64.b64decode(packed, validate=True)) != -(-images // 8):
            raise ValueError(f"those of {name} are not a bit for each of {images} labels")
    return hits


class TestRecord(BaseModel):
    """test.json: every opening, and what came of it.

    Attributes:
        labels: Class of each image of the part.
        openings: When it was opened, for which trainings.
        hits: For each training, a bit an image, packed, in base 64.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    schema_version: int = SCHEMA
    labels: tuple[Annotated[int, Field(ge=0, lt=2**63)], ...] = ()
    openings: tuple[Opening, ...] = ()
    hits: Annotated[dict[str, str], Field(default_factory=dict), AfterValidator(_check_hits)]


@dataclass(frozen=True, slots=True)
class TestResults:
    """What networks reached on the test part.

    Attributes:
        labels: Class of each image.
        hits: For each training, by its name.
        openings: When the part was opened.
    """

    labels: NDArray[np.int64]
    hits: Mapping[str, Hits]
    openings: tuple[Opening, ...]

    def has(self, weights: Sequence[Path]) -> bool:
        """Whether all trainings have been run whose weights are in these files."""
        return all(file.stem in self.hits for file in weights)

    def accuracy(self, name: str, quality: str) -> float:
        """Of a training, of one of `QUALITIES`."""
        return float(self.weighted(name, quality).mean())

    def weighted(self, name: str, quality: str) -> NDArray[np.float64]:
        """Hits of a training, weighted so that their mean is its accuracy of that quality."""
        hits = self.hits[name].astype(float)
        if quality == "accuracy":
            return hits
        _, classes, members = np.unique(self.labels, return_inverse=True, return_counts=True)
        weighted: NDArray[np.float64] = hits * len(hits) / (len(members) * members[classes])
        return weighted


def open_test_part(
    folder: Path,
    wanted: Mapping[str, tuple[AnyNetwork, Callable[[], Weights]]],
    tester: Callable[[], Tester],
    log: Callable[[str], None],
    on_tested: Callable[[int, int], None],
) -> None:
    """Runs trained networks on the test part, those that were not before; goes on after a kill.

    Args:
        folder: Of the confirming; keeps what is found.
        wanted: For each training, by its name, its network and where its weights come from.
        tester: Opens the part.
        log: Writes an opening down, before anything is looked at.
        on_tested: Hears of networks run, of networks in all.

    Raises:
        StudyError: the folder cannot be written, or its file is damaged.
    """
    file = folder / TEST_FILE
    record = read_file(TestRecord, file) if file.exists() else TestRecord(hits={})
    missing = [name for name in wanted if name not in record.hits]
    if not missing:
        return
    opened = {name for opening in record.openings for name in opening.trainings}
    fresh = tuple(name for name in missing if name not in opened)
    if fresh:
        opening = Opening(opened=now(), trainings=fresh)
        log(opening.said)
        record = record.model_copy(update={"openings": (*record.openings, opening)})
        write_file(file, record)
    testing = tester()
    record = record.model_copy(update={"labels": tuple(testing.labels.tolist())})
    on_tested(0, len(missing))
    for done, name in enumerate(missing, start=1):
        network, weights = wanted[name]
        packed = base64.b64encode(np.packbits(testing.hits(network, weights())).tobytes())
        record = record.model_copy(update={"hits": {**record.hits, name: packed.decode()}})
        write_file(file, record)
        on_tested(done, len(missing))


def test_results(folder: Path) -> TestResults | None:
    """What the trainings reached that have been run; None until all of the first opening have.

    The few that happened to be run first would make a front of their own.

    Raises:
        StudyError: the file is damaged.
    """
    file = folder / TEST_FILE
    if not file.exists():
        return None
    record = read_file(TestRecord, file)
    first = record.openings[0].trainings if record.openings else ()
    if not first or any(name not in record.hits for name in first):
        return None
    count = len(record.labels)
    hits = {
        name: np.unpackbits(np.frombuffer(base64.b64decode(packed), np.uint8), count=count).astype(
            bool
        )
        for name, packed in record.hits.items()
    }
    return TestResults(np.array(record.labels, dtype=np.int64), hits, record.openings)
