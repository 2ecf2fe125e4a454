"""Samplers by name."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from optuna.distributions import BaseDistribution
from optuna.exceptions import ExperimentalWarning
from optuna.samplers import BaseSampler, GPSampler, NSGAIISampler, RandomSampler, TPESampler

from mbnas.errors import StudyError
from mbnas.network.checks import nearest
from mbnas.sampling.base import StatelessSampler
from mbnas.sampling.history import Reader
from mbnas.sampling.known import Known
from mbnas.sampling.known_cost import KnownCostSampler
from mbnas.sampling.local_search import LocalSearchSampler
from mbnas.sampling.spellings import Identity

DEFAULT_SAMPLER = "known_cost"
POPULATION_SIZE = 20  # small enough that brief searches reach a second generation


@dataclass(frozen=True, slots=True)
class Setting:
    """What a named sampler is made from.

    Attributes:
        distributions: The search space as Optuna has it.
        knowns: What is known of a point before it is evaluated.
        identity: Tells points that are the same network.
        read: Reads finished trials.
        reference: The hypervolume's reference point, (accuracy, cost).
        seed: Of what is drawn.
    """

    distributions: Mapping[str, BaseDistribution]
    knowns: Sequence[Known]
    identity: Identity
    read: Reader
    reference: tuple[float, float]
    seed: int


def _known_cost(setting: Setting) -> BaseSampler:
    return KnownCostSampler(
        setting.knowns,
        scales={0: "log_error"},
        space=setting.distributions,
        reference=setting.reference,
        identity=setting.identity,
        read=setting.read,
        seed=setting.seed,
    )


def _local(setting: Setting) -> BaseSampler:
    return LocalSearchSampler(space=setting.distributions, read=setting.read, seed=setting.seed)


def _nsga2(setting: Setting) -> BaseSampler:
    return NSGAIISampler(population_size=POPULATION_SIZE, seed=setting.seed)


def _tpe(setting: Setting) -> BaseSampler:
    return _quietly(lambda: TPESampler(multivariate=True, seed=setting.seed))


def _gp(setting: Setting) -> BaseSampler:
    return _quietly(lambda: GPSampler(seed=setting.seed))


def _random(setting: Setting) -> BaseSampler:
    return RandomSampler(seed=setting.seed)


def _quietly(make: Callable[[], BaseSampler]) -> BaseSampler:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)  # what is asked for is called so
        return make()


SAMPLERS: dict[str, Callable[[Setting], BaseSampler]] = {
    "known_cost": _known_cost,
    "local": _local,
    "nsga2": _nsga2,
    "tpe": _tpe,
    "gp": _gp,
    "random": _random,
}


class SamplerSource:
    """Gives the sampler for each trial.

    What a named sampler proposes depends on the study alone, so a search that was broken off goes
    on as if it had not been: those that have a state of their own are made afresh for every trial,
    from the study's seed and the trial's number. A sampler object is used as it is; what it
    proposes after a broken-off search depends on its own state.

    Args:
        sampler: A name, or an object.
        setting: What a named one is made from.

    Raises:
        StudyError: no sampler of that name.
    """

    def __init__(self, sampler: str | BaseSampler, setting: Setting) -> None:
        check_sampler(sampler)
        self._setting = setting
        self._sampler = sampler
        self._made = None if isinstance(sampler, BaseSampler) else SAMPLERS[sampler](setting)

    @property
    def distributions(self) -> dict[str, BaseDistribution]:
        """The search space as Optuna has it."""
        return dict(self._setting.distributions)

    def resume(self) -> None:
        """Keeps a seeded sampler object from proposing its first networks all over again."""
        if isinstance(self._sampler, BaseSampler):
            self._sampler.reseed_rng()

    def for_trial(self, number: int) -> BaseSampler:
        """The sampler that proposes trial `number`."""
        if isinstance(self._sampler, BaseSampler):
            return self._sampler
        if isinstance(self._made, StatelessSampler):
            return self._made
        own = derived_seed(self._setting.seed, number)
        return SAMPLERS[self._sampler](replace(self._setting, seed=own))


def check_sampler(sampler: str | BaseSampler) -> str:
    """The name of a sampler, of an object its class.

    Raises:
        StudyError: no sampler of that name.
    """
    if isinstance(sampler, BaseSampler):
        return type(sampler).__name__
    if sampler not in SAMPLERS:
        hint = nearest(sampler, SAMPLERS) or f"; samplers are {', '.join(SAMPLERS)}"
        raise StudyError(f'sampler "{sampler}": unknown{hint}')
    return sampler


def derived_seed(seed: int, *parts: int) -> int:
    """A seed that depends on all its parts, for a generator of its own."""
    return int(np.random.SeedSequence([seed, *parts]).generate_state(1)[0])
