"""study.json: what a study was made with, so that it can go on and be made again."""

from __future__ import annotations

import platform
from collections.abc import Mapping
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, NonNegativeInt, PositiveInt, ValidationError

from mbnas.data import PartName, Split
from mbnas.errors import MbnasError, StudyError
from mbnas.measure.host import Host
from mbnas.search.objectives import Goals
from mbnas.training.images import Normalisation
from mbnas.training.recipe import Recipe

SCHEMA = 4
_PACKAGES = ("mbnas", "torch", "torchvision", "optuna", "onnx", "onnxruntime", "numpy")


class _Version(BaseModel):
    """What is read first: a newer record may hold what this version does not know."""

    schema_version: int


class DataRecord(BaseModel):
    """The data of a study and how they were split."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    spec: str
    classes: Annotated[tuple[str, ...], Field(min_length=1)]
    sizes: Annotated[dict[PartName, NonNegativeInt], Field(min_length=3)]  # of all three parts
    digest: str
    split: Split
    normalisation: Normalisation | None


class StudyRecord(BaseModel):
    """Everything that must stay the same while a study goes on, and what it was made on.

    `id` tells studies apart that share a database; those of older versions have none. `storage` is
    that database's URL, without its password; None is study.db.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    schema_version: int = SCHEMA
    name: str
    created: datetime
    seed: int
    sampler: str
    stopping: str
    data: DataRecord
    goals: Goals
    recipe: Recipe
    threads: PositiveInt
    warm_start: bool
    reference_accuracy: float
    reference_cost: float
    host: Host
    versions: dict[str, str]
    test_openings: tuple[str, ...] = ()
    id: str = ""
    storage: str | None = None

    @property
    def reference(self) -> tuple[float, float]:
        """The hypervolume's reference point: (accuracy, cost)."""
        return (self.reference_accuracy, self.reference_cost)

    def differences(self, other: StudyRecord) -> list[str]:
        """What another record of the same study says differently, in words."""
        pairs = {
            "seed": (self.seed, other.seed),
            "accuracy searched for": (self.goals.quality, other.goals.quality),
            "objective": (self.goals.cost, other.goals.cost),
            "limits": (_limits(self.goals), _limits(other.goals)),
            "sampler": (self.sampler, other.sampler),
            "stopping": (self.stopping, other.stopping),
            "rungs": (self.recipe.rungs, other.recipe.rungs),
        }
        return [
            *_differing(pairs),
            *self.measuring_differences(other),
            *self.training_differences(other),
        ]

    def measuring_differences(self, other: StudyRecord) -> list[str]:
        """Why latencies of the two do not belong on one front, in words."""
        return _differing(
            {
                "threads": (self.threads, other.threads),
                "processor": (self.host.cpu, other.host.cpu),
                "onnxruntime": (self.host.onnxruntime, other.host.onnxruntime),
            }
        )

    def training_differences(self, other: StudyRecord) -> list[str]:
        """Why accuracies of the two do not belong on one front, in words."""
        recipes = {
            key: (getattr(self.recipe, key), getattr(other.recipe, key))
            for key in Recipe.__dataclass_fields__
            if key != "rungs"  # where a training pauses changes nothing in it
        }
        return _differing(
            {
                "split": (self.data.split, other.data.split),
                "images": (self.data.digest, other.data.digest),
                "warm start": (self.warm_start, other.warm_start),
                **recipes,
            }
        )


def _differing(pairs: Mapping[str, tuple[object, object]]) -> list[str]:
    return [
        f"{key}: {mine} there, {yours} now" for key, (mine, yours) in pairs.items() if mine != yours
    ]


def _limits(goals: Goals) -> str:
    ordered = sorted((limit.quantity, limit.most) for limit in goals.limits)
    return ", ".join(f"{quantity} ≤ {most:,.15g}" for quantity, most in ordered) or "none"


def now() -> datetime:
    """The present moment, in UTC, to the second."""
    return datetime.now(UTC).replace(microsecond=0)


def package_versions() -> dict[str, str]:
    """Versions of Python and of the packages that a result depends on."""
    return {"python": platform.python_version(), **{name: version(name) for name in _PACKAGES}}


def read_record(path: Path) -> StudyRecord:
    """The record in a study.json.

    Raises:
        StudyError: not there, damaged, or written by a newer version.
    """
    try:
        text = path.read_bytes()
    except OSError as error:
        raise StudyError(f"{path}: cannot be read ({error.strerror})") from None
    try:
        version_there = _Version.model_validate_json(text).schema_version
        if version_there == SCHEMA:
            return StudyRecord.model_validate_json(text)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "its text"
        raise StudyError(f"{path}: damaged at {where}: {first['msg']}") from None
    except MbnasError as error:  # what a recipe or a goal says of its own fields
        raise StudyError(f"{path}: damaged: {error}") from None
    raise StudyError(f"{path}: schema {version_there}; this mbnas reads {SCHEMA}")
