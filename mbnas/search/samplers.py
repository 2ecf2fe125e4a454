"""Samplers by name."""

from __future__ import annotations

import warnings
from collections.abc import Callable

import numpy as np
from optuna.exceptions import ExperimentalWarning
from optuna.samplers import BaseSampler, NSGAIISampler, RandomSampler, TPESampler

from mbnas.errors import StudyError
from mbnas.network.checks import nearest

POPULATION_SIZE = 20  # small enough that brief searches reach a second generation


def _nsga2(seed: int) -> BaseSampler:
    return NSGAIISampler(population_size=POPULATION_SIZE, seed=seed)


def _tpe(seed: int) -> BaseSampler:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)  # `multivariate` is called so
        return TPESampler(multivariate=True, seed=seed)


def _random(seed: int) -> BaseSampler:
    return RandomSampler(seed=seed)


SAMPLERS: dict[str, Callable[[int], BaseSampler]] = {
    "nsga2": _nsga2,
    "tpe": _tpe,
    "random": _random,
}


class SamplerSource:
    """Gives the sampler for each trial.

    A named sampler is made afresh for every trial from the study's seed and the trial's number:
    what it proposes depends on the study alone, so a search that was broken off goes on as if it
    had not been. A sampler object is used as it is; what it proposes after a broken-off search
    depends on its own state.

    Raises:
        StudyError: no sampler of that name.
    """

    def __init__(self, sampler: str | BaseSampler, seed: int) -> None:
        if isinstance(sampler, str) and sampler not in SAMPLERS:
            hint = nearest(sampler, SAMPLERS) or f"; samplers are {', '.join(SAMPLERS)}"
            raise StudyError(f'sampler "{sampler}": unknown{hint}')
        self._sampler = sampler
        self._seed = seed

    @property
    def name(self) -> str:
        """The name given, or the object's class."""
        return self._sampler if isinstance(self._sampler, str) else type(self._sampler).__name__

    def resume(self) -> None:
        """Keeps a seeded sampler object from proposing its first networks all over again."""
        if isinstance(self._sampler, BaseSampler):
            self._sampler.reseed_rng()

    def for_trial(self, number: int) -> BaseSampler:
        """The sampler that proposes trial `number`."""
        if isinstance(self._sampler, str):
            return SAMPLERS[self._sampler](derived_seed(self._seed, number))
        return self._sampler


def derived_seed(seed: int, *parts: int) -> int:
    """A seed that depends on all its parts, for a generator of its own."""
    return int(np.random.SeedSequence([seed, *parts]).generate_state(1)[0])
