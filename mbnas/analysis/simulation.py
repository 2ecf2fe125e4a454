"""Replaying searches on known results: how many trainings does each sampler need?"""

from __future__ import annotations

import math
import warnings
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from multiprocessing import get_context
from typing import Any

import numpy as np
import optuna
from numpy.typing import NDArray
from optuna.exceptions import ExperimentalWarning
from threadpoolctl import threadpool_limits

from mbnas.analysis.known_table import KnownTable
from mbnas.errors import StudyError
from mbnas.sampling.history import read_trial
from mbnas.sampling.known import Known
from mbnas.search.samplers import SAMPLERS, SamplerSource, Setting, check_sampler, derived_seed
from mbnas.search.storage import quiet_optuna

SHARES = (0.95, 0.98, 0.99)
"""Shares of the table's hypervolume at which trainings are counted."""
ENOUGH = 0.995
"""Share at which a run ends before its budget."""
REPEATS_BEFORE_GIVING_UP = 2000


@dataclass(frozen=True, slots=True)
class Plan:
    """What is replayed.

    Attributes:
        samplers: Their names.
        seeds: Runs of each sampler.
        trainings: Trainings at which a run ends, if it has not come to `ENOUGH` before.
        error: Standard deviation of the predicted costs' relative error, drawn once for each
            network and seed.
        in_flight: Candidates in evaluation at once.
    """

    samplers: tuple[str, ...] = tuple(SAMPLERS)
    seeds: int = 20
    trainings: int = 300
    error: float = 0.03
    in_flight: int = 1

    def __post_init__(self) -> None:
        if not self.samplers:
            raise StudyError("samplers = []: name at least one")
        for name in self.samplers:
            check_sampler(name)
        for name in ("seeds", "trainings", "in_flight"):
            if getattr(self, name) < 1:
                raise StudyError(f"{name} = {getattr(self, name)}: must be at least 1")
        if not 0 <= self.error < math.inf:
            raise StudyError(f"error = {self.error:g}: must be a number of at least 0")


@dataclass(frozen=True, slots=True)
class Run:
    """One search replayed.

    Attributes:
        sampler: Its sampler.
        seed: Its seed.
        shares: After each training, the share of the table's hypervolume, (trainings,).
    """

    sampler: str
    seed: int
    shares: NDArray[np.float64]

    def trainings_to(self, share: float) -> float:
        """Trainings after which a share was reached; infinite where it was not."""
        reached = np.flatnonzero(self.shares >= share)
        return float(reached[0] + 1) if len(reached) else np.inf


def simulate(table: KnownTable, plan: Plan, workers: int = 1) -> Iterator[Run]:
    """Replays every run of a plan, each as it ends.

    Args:
        table: What is known.
        plan: What is replayed.
        workers: Processes that share the runs.

    Raises:
        StudyError: no number of processes, or a table without a front.
    """
    if workers < 1:
        raise StudyError(f"workers = {workers}: must be at least 1")
    if not table.hypervolume > 0:
        quality, cost = table.reference
        raise StudyError(
            f"{table.name}: no network is better than the reference point ({quality:g}, {cost:g})"
            " in both; name a worse point with --reference"
        )
    jobs = [(name, seed) for seed in range(plan.seeds) for name in plan.samplers]
    if workers == 1:
        for name, seed in jobs:
            yield replay(table, plan, name, seed)
        return
    # Not forked: a copy of a process in which threads run may hang.
    with ProcessPoolExecutor(workers, get_context("spawn")) as pool:
        running = [pool.submit(replay, table, plan, name, seed) for name, seed in jobs]
        try:
            for one in as_completed(running):
                yield one.result()
        finally:
            pool.shutdown(cancel_futures=True)


def replay(table: KnownTable, plan: Plan, sampler: str, seed: int) -> Run:
    """Replays one search; a training is the first evaluation of a network."""
    world = _World(table, plan.error, seed)
    source = SamplerSource(sampler, world.setting())
    with warnings.catch_warnings(), threadpool_limits(1), quiet_optuna():
        warnings.simplefilter("ignore", ExperimentalWarning)
        study = optuna.create_study(directions=["maximize", "minimize"])
        _search(study, source, world, plan)
    return Run(sampler, seed, np.array(world.shares))


def _search(study: optuna.Study, source: SamplerSource, world: _World, plan: Plan) -> None:
    open_: deque[optuna.Trial] = deque()
    asked = repeats = 0
    while repeats < REPEATS_BEFORE_GIVING_UP and not world.done(plan.trainings):
        while len(open_) < plan.in_flight:
            study.sampler = source.for_trial(asked)
            open_.append(study.ask(source.distributions))
            asked += 1
        trial = open_.popleft()
        known = len(world.shares)
        study.tell(trial, world.evaluate(trial.params))
        repeats = repeats + 1 if len(world.shares) == known else 0


class _World:
    """The table as one search meets it."""

    def __init__(self, table: KnownTable, error: float, seed: int) -> None:
        self._table, self._seed = table, seed
        self._rng = np.random.default_rng(derived_seed(seed, 0))
        # The same predictor for every sampler of a seed.
        errors = np.random.default_rng(derived_seed(seed, 1)).standard_normal(
            int(table.networks.max()) + 1
        )
        self._predicted = table.costs * np.exp(error * errors[table.networks])
        self._told: dict[int, tuple[float, float]] = {}
        self._rows: list[int] = []
        self._whole = table.hypervolume
        self.shares: list[float] = []

    def setting(self) -> Setting:
        """What a sampler may know."""
        table = self._table
        columns = [(self._predicted, 1), *((column, None) for column in table.known.values())]
        return Setting(
            distributions=table.distributions,
            knowns=[Known(_Column(table, values), objective) for values, objective in columns],
            identity=_Column(table, table.networks),
            read=read_trial,
            reference=table.reference,
            seed=self._seed,
        )

    def evaluate(self, params: Mapping[str, Any]) -> tuple[float, float]:
        """One of the measurements of a network's quality, and its cost; always the same."""
        row = self._table.row(params)
        network = int(self._table.networks[row])
        if network not in self._told:
            quality = self._rng.choice(self._table.qualities[row])
            self._told[network] = (float(quality), float(self._table.costs[row]))
            self._rows.append(row)
            self.shares.append(self._table.hypervolume_of(self._rows) / self._whole)
        return self._told[network]

    def done(self, trainings: int) -> bool:
        """Whether the run is over."""
        return len(self.shares) >= min(trainings, self._table.size) or (
            bool(self.shares) and self.shares[-1] >= ENOUGH
        )


class _Column:
    """A column of a table as a function of points."""

    def __init__(self, table: KnownTable, values: NDArray[Any]) -> None:
        self._table, self._values = table, values

    def __call__(self, points: Sequence[Mapping[str, Any]]) -> list[Any]:
        return [self._values[self._table.row(point)].item() for point in points]


@dataclass(frozen=True, slots=True)
class Needed:
    """Trainings that a sampler needed for a share: the quartiles of its runs."""

    sampler: str
    share: float
    median: float
    low: float
    high: float


def needed(runs: Sequence[Run]) -> list[Needed]:
    """By sampler, in their order, and by share; infinite where half of the runs fell short."""
    found = []
    for sampler in dict.fromkeys(run.sampler for run in runs):
        own = [run for run in runs if run.sampler == sampler]
        for share in SHARES:
            counts = np.array([run.trainings_to(share) for run in own])
            # One of the counts: a mean of two may meet an infinity.
            low, high = (float(np.quantile(counts, at, method="nearest")) for at in (0.25, 0.75))
            found.append(Needed(sampler, share, _median(counts), low, high))
    return found


def _median(counts: NDArray[np.float64]) -> float:
    ordered = np.sort(counts)
    middle = ordered[(len(ordered) - 1) // 2], ordered[len(ordered) // 2]
    return float(np.inf if np.isinf(middle[1]) else np.mean(middle))
