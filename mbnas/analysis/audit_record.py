"""What an audit is made of, and the folder that holds it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from mbnas.analysis.records import read_file, write_file
from mbnas.analysis.trainings import Trainings
from mbnas.data import Dataset
from mbnas.errors import StudyError
from mbnas.search.holder import held_folder
from mbnas.search.objectives import QUALITIES
from mbnas.search.record import package_versions
from mbnas.space import SearchSpace
from mbnas.training.recipe import Recipe

NETWORKS = 24
TWICE = 8
SCHEMA = 1
TRAININGS_FOLDER = "trainings"
AMOUNTS = ("networks", "twice", "schedules")
"""What an audit may have more or less of when it goes on: its networks are drawn one after another,
and the first of them are trained twice."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditPlan:
    """What is trained.

    Attributes:
        networks: How many are drawn from the space.
        twice: How many of them are trained with a second seed too; with fewer than 8, how far two
            seeds agree cannot be told, and nothing is recommended.
        schedules: Lengths of the short schedules, in epochs; () takes a tenth, a fifth and a third
            of the full one.
        seed: Of what is drawn.
        quality: `accuracy` or `balanced_accuracy`.
    """

    networks: int = NETWORKS
    twice: int = TWICE
    schedules: tuple[int, ...] = ()
    seed: int = 0
    quality: str = "accuracy"

    def __post_init__(self) -> None:
        if self.networks < 4:
            raise StudyError(f"networks = {self.networks}: must be at least 4, to have an order")
        if not 3 <= self.twice <= self.networks:
            raise StudyError(
                f"twice = {self.twice}: must be at least 3 and at most networks, {self.networks}"
            )
        if self.quality not in QUALITIES:
            raise StudyError(f'quality "{self.quality}": must be one of {", ".join(QUALITIES)}')

    def lengths(self, epochs: int) -> tuple[int, ...]:
        """Of the short schedules, shortest first.

        Raises:
            StudyError: one is not shorter than the full one.
        """
        lengths = self.schedules or tuple(round(epochs * share) for share in (0.1, 0.2, 1 / 3))
        if self.schedules and not all(0 < length < epochs for length in lengths):
            raise StudyError(
                f"schedules = {list(self.schedules)}: each must be at least 1 and shorter than the"
                f" full one, {epochs} epochs"
            )
        return tuple(sorted({length for length in lengths if 0 < length < epochs}))


class AuditRecord(BaseModel):
    """audit.json: what must stay the same while an audit goes on, and how much it had last."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    schema_version: int = SCHEMA
    space: str
    data: str
    digest: str
    recipe: Recipe
    seed: int
    networks: int
    twice: int
    schedules: tuple[int, ...]
    versions: dict[str, str]

    @classmethod
    def of(cls, space: SearchSpace, data: Dataset, recipe: Recipe, plan: AuditPlan) -> AuditRecord:
        """Of what was asked for."""
        return cls(
            space=space.toml,
            data=data.spec,
            digest=data.digest(),
            recipe=recipe,
            seed=plan.seed,
            networks=plan.networks,
            twice=plan.twice,
            schedules=plan.lengths(recipe.epochs),
            versions=package_versions(),
        )

    def differences(self, other: AuditRecord) -> list[str]:
        """What another record says differently, in words.

        Amounts and versions may differ, and where the images lie: the digest says which they are.
        """
        names = {"space": "search space", "digest": "choice of images"}
        free = ("data", "versions", *AMOUNTS)
        return [
            names.get(name, name)
            for name in AuditRecord.model_fields
            if name not in free and getattr(self, name) != getattr(other, name)
        ]


@contextlib.contextmanager
def held(folder: Path, record: AuditRecord) -> Iterator[None]:
    """Holds a folder for one audit, made if it is not there.

    Raises:
        StudyError: it is in use, cannot be written, or holds another audit.
    """
    file = folder / "audit.json"
    with held_folder(folder, "another audit is running there"):
        if file.exists() and _is_begun(folder):
            begun = read_file(AuditRecord, file)
            differences = begun.differences(record)
            if differences:
                raise StudyError(
                    f"{folder}: holds an audit with another {', another '.join(differences)};"
                    " name a new folder, or repeat its own settings to go on"
                )
            amounts = {name: getattr(record, name) for name in AMOUNTS}
            record = begun.model_copy(update=amounts)
        write_file(file, record)
        yield


def _is_begun(folder: Path) -> bool:
    """Whether something was trained: a command that failed before that binds nobody."""
    return any(Trainings(place).begun() for place in (folder / TRAININGS_FOLDER).glob("*"))
