"""A search from Python: what is searched, on which data, for what, and how."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from optuna.samplers import BaseSampler

from mbnas.data import Dataset
from mbnas.engine import Engine, MeasuringProcess, make_engine, make_trainer
from mbnas.errors import StudyError
from mbnas.measure.host import this_host
from mbnas.measure.latency import LatencyMeter, OrtLatencyMeter
from mbnas.measure.predictor import Predictor
from mbnas.network import Architecture
from mbnas.search.budget import Budget
from mbnas.search.driver import Driver
from mbnas.search.estimate import REFERENCE_SAMPLE, Estimate, estimate, reference_cost, sampled
from mbnas.search.evaluation import Evaluations
from mbnas.search.events import Observer
from mbnas.search.feasibility import Feasibility, FeasibilityCheck
from mbnas.search.folder import StudyFolder
from mbnas.search.foresight import Foresight
from mbnas.search.front import is_settled
from mbnas.search.objectives import Goals, Limit, Objective, maximize, minimize
from mbnas.search.proposals import Enqueued, Proposals
from mbnas.search.record import DataRecord, StudyRecord, now, package_versions
from mbnas.search.reuse import KnownResults
from mbnas.search.samplers import DEFAULT_SAMPLER, SamplerSource, check_sampler
from mbnas.search.steered import Gate, Steering
from mbnas.search.stopping import FrontReach, Stopping
from mbnas.search.study import Study, open_study, read_trials
from mbnas.space import SearchSpace
from mbnas.training.images import Normalisation
from mbnas.training.recipe import Recipe
from mbnas.training.torch_trainer import TorchTrainer
from mbnas.training.trainer import Trainer

TRIED = 3
"""Networks on which precisions are tried."""


class Search:
    """A search for networks that are accurate and cheap.

    Args:
        space: What may vary.
        data: The images; their train and validation parts alone are used.
        objectives: Accuracy, or balanced accuracy, and one cost; by default accuracy and
            `latency_ms`.
        limits: Hard bounds beside those of the objectives.
        study: The study's folder. One that is there already goes on where it stopped.
        sampler: `known_cost`, which models accuracy alone, `local`, `nsga2`, `tpe`, `gp`, `random`,
            or any sampler object of Optuna's.
        recipe: How candidates are trained; by default `Recipe.for_images`, by the number and
            size of the images.
        seed: Of sampling and training.
        device: Where to train; by default a GPU where there is one.
        threads: Threads of a measured network.
        trainer: In place of training with PyTorch, such as `mbnas.testing.FakeTrainer`.
        meter: In place of timing with ONNX Runtime, such as `mbnas.testing.FakeLatencyMeter`.
        predictor: Predicts latencies, so that networks far above a limit are not even measured;
            `mbnas.find_calibration(space, classes, threads)` has one after `mbnas calibrate`.
        pack: Networks trained at once; by default one a core, at most four, and on a GPU four.
        stopping: True stops trials, at the recipe's rungs or before any training, that would not
            raise the front even with luck (`FrontReach`); or a rule of your own.
        warm_start: Begin each training with the weights of the most similar network that is
            still kept. Quicker to learn; what a network reaches then depends on its forerunners.
        start: Networks to evaluate before any other, by what to call them in reports; they are
            trained to their end. They need not be the space's.
        reuse: Folders of other studies of the same images, split and recipe: what they trained is
            taken over, as far as the space holds it, and counts in no budget.

    Raises:
        StudyError: objectives, limits or sampler that cannot be.
    """

    def __init__(
        self,
        space: SearchSpace,
        data: Dataset,
        *,
        study: str | Path,
        objectives: Sequence[Objective] | None = None,
        limits: Sequence[Limit] = (),
        sampler: str | BaseSampler = DEFAULT_SAMPLER,
        recipe: Recipe | None = None,
        seed: int = 0,
        device: str | None = None,
        threads: int = 1,
        trainer: Trainer | None = None,
        meter: LatencyMeter | None = None,
        predictor: Predictor | None = None,
        pack: int | None = None,
        stopping: Stopping | bool = True,
        warm_start: bool = False,
        start: Mapping[str, Architecture] | None = None,
        reuse: Sequence[str | Path] = (),
    ) -> None:
        if pack is not None and pack < 1:
            raise StudyError(f"pack = {pack}: must be at least 1")
        self.space = space
        self.data = data
        self.recipe = recipe or Recipe.for_images(data.sizes["train"], space.resolutions[-1])
        self.goals = Goals.of(objectives or [maximize("accuracy"), minimize("latency_ms")], limits)
        self.seed = seed
        self._folder = StudyFolder(study)
        self._sampler_name = check_sampler(sampler)
        self._sampler = sampler
        self._device = device
        self._trainer = trainer
        self._is_trainer_given = trainer is not None
        self._meter = meter or OrtLatencyMeter(threads)
        self._predictor = predictor
        self._pack = pack
        self._stopping = stopping
        self._warm_start = warm_start
        self._start = dict(start or {})
        self._reuse = [open_study(folder) for folder in reuse]
        self._check_start()

    def run(
        self,
        trials: int | None = None,
        seconds: float | None = None,
        observer: Observer | None = None,
    ) -> Study:
        """Searches until so many trials are evaluated in all, or for so many seconds.

        A study that was broken off goes on; what it has already counts. Ctrl-C leaves it ready
        to go on.

        Raises:
            StudyError: the folder is in use, or belongs to a different study, or no network of
                the space was found to meet a limit.
            DataError: images that cannot be read.
            BuildError: a device that is not there.
        """
        budget = Budget(trials, seconds)
        with self._folder.locked():
            known = self._known_results()
            observer = observer or Observer()
            if isinstance(self._meter, OrtLatencyMeter):
                self._meter.on_wait = observer.waits_for_cores
            if not self._folder.exists and self.goals.limits:
                observer.limits_to_check(self.goals.limits)
                for found in self.feasibility():
                    observer.limit_checked(found)
                    found.check()
            trainer = self._ready_trainer(observer)
            if not self._folder.exists:
                self._settle_precision(trainer)
                normalisation = trainer.normalisation if isinstance(trainer, TorchTrainer) else None
                self._folder.create(self._record(self._reference_cost(), normalisation), self.space)
            record, _ = self._folder.read()
            engine = make_engine(
                trainer,
                self._meter_for(trainer),
                len(self.data.classes),
                self._pack,
                observer.waits_for_cores,
            )
            with contextlib.closing(engine):
                self._driver(record, engine, known, observer, budget).run()
        return open_study(self._folder.path)

    def _driver(
        self,
        record: StudyRecord,
        engine: Engine,
        known: KnownResults,
        observer: Observer,
        budget: Budget,
    ) -> Driver:
        """What runs the search, on the study as it stands."""
        foresight = Foresight(self.space, len(self.data.classes), self.goals, self._predictor)
        study = self._folder.optuna_study(record.name, record.goals.quantities)
        samplers = SamplerSource(self._sampler, foresight.setting(record.reference, self.seed))
        finished = read_trials(study, self._folder)
        settled = {one.architecture.id for one in finished if is_settled(one, record.goals)}
        first = [
            *(Enqueued(network, name) for name, network in self._start.items()),
            *known.within(self.space),
        ]
        fresh = [one for one in first if one.architecture.id not in settled]
        steering = Steering(self._folder.path, budget, record.recipe.epochs, observer)
        gate = Gate(engine, steering)
        return Driver(
            folder=self._folder,
            record=record,
            study=study,
            engine=gate,
            proposals=Proposals(study, self.space, samplers, fresh),
            evaluations=Evaluations(
                folder=self._folder,
                record=record,
                engine=gate,
                finished=finished,
                predictor=self._predictor,
                stopping=self._rule(foresight),
                known=known,
            ),
            trials=finished,
            space_size=self.space.size,
            observer=observer,
            budget=budget,
            steering=steering,
        )

    def _rule(self, foresight: Foresight) -> Stopping | None:
        if isinstance(self._stopping, bool):
            images = self.data.sizes["validation"]
            return FrontReach(self.goals, foresight, images) if self._stopping else None
        return self._stopping

    def feasibility(self) -> list[Feasibility]:
        """For every limit, how much of the space is within it, and what is cheapest."""
        check = FeasibilityCheck(
            self.space, len(self.data.classes), self._meter, self._predictor, self.seed
        )
        return check.of(self.goals.limits)

    def estimate(self, networks: int = 4, observer: Observer | None = None) -> Estimate:
        """What `run` would do and about how long a trial would take; writes nothing.

        Raises:
            StudyError: the folder belongs to a different study, or another one cannot be reused.
        """
        self._known_results()
        trainer = self._ready_trainer(observer or Observer())
        some = sampled(self.space, networks, self.seed)
        return estimate(some, trainer, self._meter, len(self.data.classes))

    def _meter_for(self, trainer: Trainer) -> LatencyMeter | MeasuringProcess:
        """Where training needs a GPU and not the cores, they measure the next network meanwhile."""
        if trainer.uses_cores or not isinstance(self._meter, OrtLatencyMeter):
            return self._meter
        return MeasuringProcess(self._meter.threads, self._meter.seconds)

    def _reference_cost(self) -> float:
        some = sampled(self.space, REFERENCE_SAMPLE, self.seed)
        return reference_cost(some, self.goals, self._meter, len(self.data.classes))

    def _ready_trainer(self, observer: Observer) -> Trainer:
        if self._trainer is None:
            self._trainer = make_trainer(
                self.data,
                self.space.resolutions[-1],
                self.recipe,
                self._device,
                observer.images_decoded,
            )
        return self._trainer

    def _settle_precision(self, trainer: Trainer) -> None:
        """Tries on some networks of the space which precision this machine trains faster in."""
        if self.recipe.precision != "auto" or not isinstance(trainer, TorchTrainer):
            return
        if trainer.uses_cores and not self._is_trainer_given:
            trainer.settle_precision(sampled(self.space, TRIED, self.seed))
        self.recipe = trainer.recipe

    def _known_results(self) -> KnownResults:
        """What other studies trained; refuses what cannot be gone on with or taken over."""
        if self._folder.exists:
            self._check_same_study()
        for other in self._reuse:
            self._take_precision(other.record)
        record = self._record(0.0, None)  # of the study as it is or will be
        return KnownResults(self._reuse, record, self.space.resolutions[-1])

    def _take_precision(self, record: StudyRecord) -> None:
        """Trains in the precision that was settled when a study was made."""
        if self.recipe.precision == "auto":
            self.recipe = replace(self.recipe, precision=record.recipe.precision)
            if isinstance(self._trainer, TorchTrainer):  # an estimate has made it
                asked = replace(self._trainer.recipe, precision=self.recipe.precision)
                self._trainer = self._trainer.with_recipe(asked)

    def _check_start(self) -> None:
        largest = self.space.resolutions[-1]
        for name, architecture in self._start.items():
            if architecture.resolution > largest:
                raise StudyError(
                    f"start {name}: resolution = {architecture.resolution} is above the space's"
                    f" largest, {largest}, at which the images are kept; write it down smaller"
                )

    def _check_same_study(self) -> None:
        """Refuses to go on with a study that was made of something else."""
        record, space = self._folder.read()
        self._take_precision(record)
        there = self._record(record.reference_cost, record.data.normalisation)
        differences = record.differences(there)
        if space != self.space:
            differences.insert(0, f"space: {space.name} there, another or a changed one now")
        if differences:
            raise StudyError(
                f"{self._folder.path}: was made with other settings ({'; '.join(differences)});"
                " name a new folder, or repeat its own settings to go on"
            )

    def _record(self, reference_cost: float, normalisation: Normalisation | None) -> StudyRecord:
        return StudyRecord(
            name=self._folder.path.resolve().name,
            created=now(),
            seed=self.seed,
            sampler=self._sampler_name,
            stopping=_rule_name(self._stopping),
            data=DataRecord(
                spec=self.data.spec,
                classes=self.data.classes,
                sizes=dict(self.data.sizes.items()),
                digest=self.data.digest(),
                split=self.data.split,
                normalisation=normalisation,
            ),
            goals=self.goals,
            recipe=self.recipe,
            threads=self._meter.threads,
            warm_start=self._warm_start,
            reference_accuracy=1 / len(self.data.classes),  # what guessing would reach
            reference_cost=reference_cost,
            host=this_host(self._meter.threads),
            versions=package_versions(),
        )


def _rule_name(stopping: Stopping | bool) -> str:
    if isinstance(stopping, bool):
        return FrontReach.__name__ if stopping else "none"
    return type(stopping).__name__
