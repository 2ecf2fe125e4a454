"""A search from Python: what is searched, on which data, for what, and how."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from optuna.samplers import BaseSampler

from mbnas.data import Dataset
from mbnas.engine import Engine, EngineName, check_engine, check_not_in_worker
from mbnas.errors import StudyError
from mbnas.measure.latency import LatencyMeter, OrtLatencyMeter, Predictor
from mbnas.network import Architecture
from mbnas.search.budget import Budget
from mbnas.search.driver import Driver
from mbnas.search.equipment import Equipment
from mbnas.search.estimate import REFERENCE_SAMPLE, Estimate, estimate, reference_cost, sampled
from mbnas.search.evaluation import Evaluations
from mbnas.search.events import Observer
from mbnas.search.feasibility import Feasibility, FeasibilityCheck
from mbnas.search.folder import StudyFolder
from mbnas.search.foresight import Foresight
from mbnas.search.front import is_settled
from mbnas.search.ledger import Ledger
from mbnas.search.objectives import Goals, Limit, Objective, maximize, minimize
from mbnas.search.proposals import Enqueued, Proposals
from mbnas.search.recovery import recover
from mbnas.search.reuse import KnownResults
from mbnas.search.samplers import DEFAULT_SAMPLER, SamplerSource, check_sampler
from mbnas.search.settings import Settings
from mbnas.search.steered import Gate, Steering
from mbnas.search.stopping import FrontReach, Stopping, telling_images
from mbnas.search.storage import check_storage, open_optuna_study
from mbnas.search.storage_url import new_storage
from mbnas.search.study import Study, open_study, read_trials
from mbnas.space import SearchSpace
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
        recipe: How candidates are trained; by default that of the trainer, where one is handed
            over that has one, else `Recipe.for_images`, by the number and size of the images.
        seed: Of sampling and training.
        device: Where to train; by default on GPUs where there are any.
        threads: Threads of a measured network.
        trainer: In place of training with PyTorch, such as `mbnas.testing.FakeTrainer`. For the
            engine `workers` it must be one that can be sent to another process, and so the meter.
        meter: In place of timing with ONNX Runtime, such as `mbnas.testing.FakeLatencyMeter`.
        predictor: Predicts latencies, so that networks far above a limit are not even measured;
            `mbnas.find_calibration(space, classes, threads)` has one after `mbnas calibrate`.
        pack: Networks trained at once; by default one a core, at most four, and four on each GPU.
        engine: Where candidates are evaluated: `local`, in this process; `workers`, in processes
            of their own on this machine, which use every GPU; `ray`, on a Ray cluster; `auto`,
            the second where there is a GPU, else the first.
        address: Of the cluster, `auto` or `host:port`; by default Ray is started on this machine.
        batch: Trials in evaluation at once. What is searched then depends on the seed, this number
            and what was measured, and not on which trial ended first or how often the search was
            broken off. By default as many as the engine has room for: so with `local`, while the
            others begin and tell trials as places become free.
        trial_seconds: Time after which the training of a network is given up as failed.
        storage: URL of a database that Optuna opens; by default a file in the study's folder, or
            the environment variable MBNAS_STORAGE. Its password is not written down.
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
        engine: EngineName = "auto",
        address: str | None = None,
        batch: int | None = None,
        trial_seconds: float | None = None,
        storage: str | None = None,
        stopping: Stopping | bool = True,
        warm_start: bool = False,
        start: Mapping[str, Architecture] | None = None,
        reuse: Sequence[str | Path] = (),
    ) -> None:
        _check_above_0(pack=pack, batch=batch, trial_seconds=trial_seconds)
        if seed < 0:
            raise StudyError(f"seed = {seed}: must be 0 or above")
        self.space = space
        self.data = data
        if objectives is None:
            objectives = [maximize("accuracy"), minimize("latency_ms")]
        self.goals = Goals.of(objectives, limits)
        self.seed = seed
        largest = space.resolutions[-1]
        self._equipment = Equipment(
            data=data,
            resolution=largest,
            recipe=_recipe(recipe, trainer, Recipe.for_images(data.sizes["train"], largest)),
            device=device,
            given=trainer,
            meter=meter or OrtLatencyMeter(threads),
            engine_name=check_engine(engine),
            address=address,
            pack=pack,
        )
        self._folder = StudyFolder(study)
        self._sampler = sampler
        self._predictor = predictor
        self._batch = batch
        self._trial_seconds = trial_seconds
        self._storage = storage
        self._stopping = stopping
        self._start = dict(start or {})
        self._reuse = [open_study(folder) for folder in reuse]
        self._settings = Settings(
            folder=self._folder,
            space=space,
            data=data,
            goals=self.goals,
            seed=seed,
            sampler=check_sampler(sampler),
            stopping=stopping,
            warm_start=warm_start,
            storage=storage,
            equipment=self._equipment,
        )
        self._check_start()

    @property
    def recipe(self) -> Recipe:
        """How candidates are trained; its precision is settled when the study is made."""
        return self._equipment.recipe

    def run(
        self,
        trials: int | None = None,
        seconds: float | None = None,
        observer: Observer | None = None,
        *,
        epochs: int | None = None,
        take_over: bool = False,
    ) -> Study:
        """Searches until one of the budgets is spent.

        A study that was broken off goes on; what it has already counts, but not in the time.
        Ctrl-C leaves it ready to go on: the first lets trainings end their epoch.

        Args:
            trials: Trials evaluated in all.
            seconds: Time for this search; what is trained then is laid down at its next rung.
            observer: Hears how it goes.
            epochs: Epochs trained in all; likewise.
            take_over: Whether to go on with a study whose search died on another host.

        Raises:
            StudyError: the folder is in use, or belongs to a different study, or no network of
                the space was found to meet a limit, or trials fail too often.
            DataError: images that cannot be read.
            BuildError: a device that is not there.
            KeyboardInterrupt: Ctrl-C; nothing is lost.
        """
        check_not_in_worker()
        budget = Budget(trials, seconds, epochs)
        observer = observer or Observer()
        with self._folder.locked(take_over=take_over) as held, self._equipment.ready():
            known = self._known_results()
            if not self._folder.exists:
                self._create(observer)
            record, _ = self._folder.read()
            study = open_optuna_study(self._folder, record, self._storage)
            observer.study_recovered(recover(study, self._folder, record, self.space))
            with self._equipment.engine(observer) as engine:
                ledger = Ledger(self._folder, record, study, read_trials(study, self._folder), held)
                self._driver(ledger, engine, known, observer, budget).run()
        return open_study(self._folder.path)

    def _create(self, observer: Observer) -> None:
        """Makes the study, once its limits are found to leave something of the space."""
        check_storage(new_storage(self._storage), self._folder)
        if self.goals.limits:
            observer.limits_to_check(self.goals.limits)
            for found in self._feasibility():
                observer.limit_checked(found)
                found.check()
        self._equipment.trainer(observer)
        observer.study_is_made()
        self._equipment.settle_precision(sampled(self.space, TRIED, self.seed))
        cost, normalisation = self._reference_cost(), self._equipment.normalisation
        record = self._settings.record(cost, normalisation)
        self._folder.create(record, self.space)

    def _driver(
        self,
        ledger: Ledger,
        engine: Engine,
        known: KnownResults,
        observer: Observer,
        budget: Budget,
    ) -> Driver:
        """What runs the search, on the study as it stands."""
        record, study, finished = ledger.record, ledger.study, ledger.trials
        foresight = Foresight(self.space, len(self.data.classes), self.goals, self._predictor)
        samplers = SamplerSource(self._sampler, foresight.setting(record.reference, self.seed))
        settled = {one.architecture.id for one in finished if is_settled(one, record.goals)}
        first = [
            *(Enqueued(network, name) for name, network in self._start.items()),
            *known.within(self.space),
        ]
        fresh = [one for one in first if one.architecture.id not in settled]
        steering = Steering(self._folder.path, budget, record.recipe.epochs, observer)
        gate = Gate(engine, steering)
        batch = self._batch
        if batch is None and self._equipment.engine_name == "local":
            batch = engine.capacity
        return Driver(
            ledger=ledger,
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
                batch=batch,
                trial_seconds=self._trial_seconds,
            ),
            space_size=self.space.size,
            observer=observer,
            budget=budget,
            steering=steering,
            batch=batch,
        )

    def _rule(self, foresight: Foresight) -> Stopping | None:
        if isinstance(self._stopping, bool):
            images = telling_images(self.data.members("validation").tolist(), self.goals.quality)
            return FrontReach(self.goals, foresight, images) if self._stopping else None
        return self._stopping

    def feasibility(self) -> list[Feasibility]:
        """For every limit, how much of the space is within it, and what is cheapest."""
        with self._equipment.ready():
            return self._feasibility()

    def _feasibility(self) -> list[Feasibility]:
        check = FeasibilityCheck(
            self.space, len(self.data.classes), self._equipment.meter, self._predictor, self.seed
        )
        return check.of(self.goals.limits)

    def estimate(self, networks: int = 4, observer: Observer | None = None) -> Estimate:
        """What `run` would do and about how long a trial would take; writes nothing.

        Raises:
            StudyError: the folder belongs to a different study, or another one cannot be reused.
        """
        some = sampled(self.space, networks, self.seed)
        with self._equipment.ready():
            self._known_results()
            trainer = self._equipment.trainer(observer or Observer())
            return estimate(some, trainer, self._equipment.meter, len(self.data.classes))

    def _reference_cost(self) -> float:
        some = sampled(self.space, REFERENCE_SAMPLE, self.seed)
        return reference_cost(some, self.goals, self._equipment.meter, len(self.data.classes))

    def _known_results(self) -> KnownResults:
        """What other studies trained; refuses what cannot be gone on with or taken over."""
        if self._folder.exists:
            self._settings.check_same()
        for other in self._reuse:
            self._equipment.take_precision(other.record.recipe.precision)
        record = self._settings.record(0.0, None)  # of the study as it is or will be
        return KnownResults(self._reuse, record, self.space.resolutions[-1])

    def _check_start(self) -> None:
        largest = self.space.resolutions[-1]
        for name, architecture in self._start.items():
            if architecture.resolution > largest:
                raise StudyError(
                    f"start {name}: resolution = {architecture.resolution} is above the space's"
                    f" largest, {largest}, at which the images are kept; write it down smaller"
                )


def _recipe(given: Recipe | None, trainer: Trainer | None, usual: Recipe) -> Recipe:
    """By what networks are trained: of a trainer that was handed over, its own length at least."""
    if trainer is None:
        return given or usual
    if given is None and isinstance(trainer, TorchTrainer):
        return trainer.recipe
    if given is None:
        return usual.with_epochs(trainer.epochs)
    if given.epochs != trainer.epochs:
        raise StudyError(
            f"recipe.epochs = {given.epochs}: the trainer's are {trainer.epochs}; give it the same"
            " recipe, or the search none"
        )
    return given


def _check_above_0(**given: float | None) -> None:
    for name, value in given.items():
        if value is not None and not value > 0:
            raise StudyError(f"{name} = {value:g}: must be above 0")
