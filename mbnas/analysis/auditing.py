"""Conducting an audit: which networks, which trainings, kept in a folder so that it can go on."""

from __future__ import annotations

import contextlib
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from mbnas.analysis.audit import Audit, Sampled, audited
from mbnas.analysis.audit_record import TRAININGS_FOLDER, AuditPlan, AuditRecord, held
from mbnas.analysis.trainings import Done, Trainings, Wanted
from mbnas.data import Dataset
from mbnas.engine import make_engine, make_trainer
from mbnas.errors import StudyError
from mbnas.measure.latency import OrtLatencyMeter
from mbnas.network import Architecture
from mbnas.space import SearchSpace
from mbnas.training.recipe import Recipe
from mbnas.training.torch_trainer import TorchTrainer
from mbnas.training.trainer import Epoch

FULL = 6
"""How many times as long as a search's the full training is, if nothing is said."""


class AuditObserver:
    """Watches an audit: subclasses take up what they care about."""

    def images_decoded(self, done: int, total: int) -> None:
        """Before something is trained: so many images of a part are read."""

    def waits_for_cores(self) -> None:
        """A measurement of mbnas goes first; may be called from any thread."""

    def planned(self, trainings: int, epochs: int, done: int) -> None:
        """So many trainings in all, so many of them done before; so many epochs are left."""

    def epoch_ended(self, wanted: Wanted, length: int, epoch: Epoch) -> None:
        """One epoch of a schedule of some length has ended."""

    def training_ended(self, wanted: Wanted, length: int, done: Done) -> None:
        """A training is on record."""


def audit(
    space: SearchSpace,
    data: Dataset,
    *,
    folder: str | Path,
    recipe: Recipe | None = None,
    plan: AuditPlan | None = None,
    device: str | None = None,
    pack: int | None = None,
    trainer: TorchTrainer | None = None,
    observer: AuditObserver | None = None,
) -> Audit:
    """Trains a sample of a space fully and briefly, and says how brief is enough.

    What is broken off goes on, at the epoch, when it is called again; where the plan then has more
    networks, more of them twice or other schedules, what is not there yet is trained.

    Args:
        space: Whose networks are drawn.
        data: The images; their train and validation parts alone are used.
        folder: Keeps what is done.
        recipe: The full training; by default that of a search, six times as long.
        plan: How much is trained.
        device: Where to train; by default a GPU where there is one.
        pack: Networks trained at once; by default one a core, at most four, and on a GPU one.
        trainer: One that has the images already.
        observer: Hears how it goes.

    Raises:
        StudyError: the folder is in use, or holds another audit.
        DataError: images that cannot be read.
        BuildError: a device that is not there.
    """
    plan = plan or AuditPlan()
    observer = observer or AuditObserver()
    if recipe is None:
        usual = Recipe.for_images(data.sizes["train"], space.resolutions[-1])
        recipe = usual.with_epochs(FULL * usual.epochs)
    lengths = plan.lengths(recipe.epochs)
    networks = _drawn(space, plan)
    folder = Path(folder)
    with held(folder, AuditRecord.of(space, data, recipe, plan)):
        conduct = _Conduct(
            folder=folder,
            # Made when something is left to train: reading the images takes its time.
            trainer=lambda: (
                trainer
                or make_trainer(
                    data, space.resolutions[-1], recipe, device, observer.images_decoded
                )
            ),
            recipe=recipe,
            classes=len(data.classes),
            pack=pack,
            observer=observer,
        )
        sampled = conduct.run(networks, plan, lengths)
    return audited(sampled, recipe.epochs, plan.quality)


@dataclass(frozen=True, kw_only=True)
class _Conduct:
    """One schedule after another, the short ones first: they say soonest where this leads."""

    folder: Path
    trainer: Callable[[], TorchTrainer]
    recipe: Recipe
    classes: int
    pack: int | None
    observer: AuditObserver

    def run(
        self, networks: Sequence[Architecture], plan: AuditPlan, lengths: Sequence[int]
    ) -> list[Sampled]:
        # Full and short ones alike: other seeds for these would disown the audits on record.
        first = [Wanted(one, plan.seed) for one in networks]
        second = [Wanted(one, plan.seed + 1) for one in networks[: plan.twice]]
        schedules = dict.fromkeys(lengths, first)
        schedules[self.recipe.epochs] = [*first, *second]
        done = self._train(schedules)
        full = done[self.recipe.epochs]
        return [
            Sampled(
                architecture=one,
                full=full[at],
                again=full[len(first) + at] if at < len(second) else None,
                short={length: done[length][at] for length in lengths},
            )
            for at, one in enumerate(networks)
        ]

    def _train(self, schedules: Mapping[int, Sequence[Wanted]]) -> dict[int, list[Done]]:
        places = {length: self._place(length) for length in schedules}
        left = {length: places[length].missing(wanted) for length, wanted in schedules.items()}
        every, missing = (sum(map(len, some.values())) for some in (schedules, left))
        self.observer.planned(
            every, sum(length * len(some) for length, some in left.items()), every - missing
        )
        if missing:
            trainer = self.trainer()
            for length in schedules:
                self._train_by(trainer, length, schedules[length])
        return {length: places[length].done(wanted) for length, wanted in schedules.items()}

    def _train_by(self, trainer: TorchTrainer, length: int, wanted: Sequence[Wanted]) -> None:
        meter = OrtLatencyMeter()  # an engine has one; nothing is measured
        engine = make_engine(
            "local",
            trainer.with_recipe(self.recipe.with_epochs(length)),
            meter,
            self.classes,
            self.pack,
            self.observer.waits_for_cores,
        )
        with contextlib.closing(engine):
            self._place(length).run(
                wanted,
                engine,
                lambda one, epoch: self.observer.epoch_ended(one, length, epoch),
                lambda one, done: self.observer.training_ended(one, length, done),
            )

    def _place(self, length: int) -> Trainings:
        return Trainings(self.folder / TRAININGS_FOLDER / f"{length:03d}")


def _drawn(space: SearchSpace, plan: AuditPlan) -> list[Architecture]:
    """Different networks of the space, by chance."""
    rng = random.Random(plan.seed)
    found: dict[str, Architecture] = {}
    for _ in range(100 * plan.networks):
        architecture = space.architecture(space.sample(rng))
        found.setdefault(architecture.id, architecture)
        if len(found) == plan.networks:
            return list(found.values())
    raise StudyError(f"{space.name}: has fewer than {plan.networks} networks; ask for fewer")
