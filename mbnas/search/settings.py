"""What a study is made of: what its record says, and by what it is told from another one."""

from __future__ import annotations

import uuid
from dataclasses import dataclass

from mbnas.data import Dataset
from mbnas.errors import StudyError
from mbnas.search.equipment import Equipment
from mbnas.search.folder import StudyFolder
from mbnas.search.objectives import Goals
from mbnas.search.record import DataRecord, StudyRecord, now, package_versions
from mbnas.search.stopping import FrontReach, Stopping
from mbnas.search.storage_url import new_storage, recorded_storage
from mbnas.space import SearchSpace
from mbnas.training.images import Normalisation


@dataclass(frozen=True, slots=True)
class Settings:
    """What a user says of a search, as far as its study depends on it.

    Attributes:
        folder: The study's.
        space: What may vary.
        data: The images.
        goals: Objectives and limits.
        seed: Of sampling and training.
        sampler: Its name.
        stopping: A rule, or whether there is one.
        warm_start: Whether trainings begin with others' weights.
        storage: URL of a database, as it was given.
        equipment: Trains and measures, by a recipe.
    """

    folder: StudyFolder
    space: SearchSpace
    data: Dataset
    goals: Goals
    seed: int
    sampler: str
    stopping: Stopping | bool
    warm_start: bool
    storage: str | None
    equipment: Equipment

    def record(self, reference_cost: float, normalisation: Normalisation | None) -> StudyRecord:
        """The record of the study, if it is made now.

        Args:
            reference_cost: Up to which cost its hypervolume reaches.
            normalisation: Of the images, if they are decoded.
        """
        return StudyRecord(
            name=self.folder.path.resolve().name,
            created=now(),
            seed=self.seed,
            sampler=self.sampler,
            stopping=self._rule,
            data=DataRecord(
                spec=self.data.spec,
                classes=self.data.classes,
                sizes=dict(self.data.sizes.items()),
                digest=self.data.digest(),
                split=self.data.split,
                normalisation=normalisation,
            ),
            goals=self.goals,
            recipe=self.equipment.recipe,
            threads=self.equipment.meter.threads,
            warm_start=self.warm_start,
            reference_accuracy=1 / len(self.data.classes),  # what guessing would reach
            reference_cost=reference_cost,
            host=self.equipment.host,
            versions=package_versions(),
            id=uuid.uuid4().hex,
            storage=recorded_storage(new_storage(self.storage)),
        )

    def check_same(self) -> None:
        """Refuses to go on with the study that is there, if it was made of something else.

        Raises:
            StudyError: what differs, each with what it is there and here.
        """
        record, space = self.folder.read()
        self.equipment.take_precision(record.recipe.precision)
        here = self.record(record.reference_cost, record.data.normalisation)
        differences = record.differences(here)
        if space != self.space:
            differences.insert(0, f"space: {space.name} there, another or a changed one now")
        if differences:
            raise StudyError(
                f"{self.folder.path}: was made with other settings ({'; '.join(differences)});"
                " name a new folder, or repeat its own settings to go on"
            )

    @property
    def _rule(self) -> str:
        if isinstance(self.stopping, bool):
            return FrontReach.__name__ if self.stopping else "none"
        return type(self.stopping).__name__
