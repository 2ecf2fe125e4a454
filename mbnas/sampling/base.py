"""What this room's samplers have in common."""

from __future__ import annotations

import secrets
from abc import abstractmethod
from collections.abc import Mapping
from typing import Any

import numpy as np
import optuna
from optuna.distributions import BaseDistribution
from optuna.samplers import BaseSampler, RandomSampler
from optuna.search_space import IntersectionSearchSpace
from optuna.trial import FrozenTrial


class StatelessSampler(BaseSampler):
    """A sampler whose proposals depend on the seed, the trial's number and the study alone.

    Args:
        space: The search space. Without, it is what all finished trials have in common, as for
            other samplers, and the first trial is drawn at random.
        seed: Without, proposals differ from run to run.
    """

    def __init__(self, space: Mapping[str, BaseDistribution] | None, seed: int | None) -> None:
        self._space = None if space is None else dict(space)
        self._seed = secrets.randbits(64) if seed is None else seed
        self._random = RandomSampler(seed)
        self._common = IntersectionSearchSpace()

    def infer_relative_search_space(
        self,
        study: optuna.Study,
        trial: FrozenTrial,  # noqa: ARG002
    ) -> dict[str, BaseDistribution]:
        """The search space given, or what all finished trials have in common."""
        if self._space is not None:
            return self._space
        return {
            name: distribution
            for name, distribution in self._common.calculate(study).items()
            if not distribution.single()
        }

    def sample_independent(
        self,
        study: optuna.Study,
        trial: FrozenTrial,
        param_name: str,
        param_distribution: BaseDistribution,
    ) -> Any:
        """At random: a parameter that not every trial has."""
        return self._random.sample_independent(study, trial, param_name, param_distribution)

    @abstractmethod
    def sample_relative(
        self, study: optuna.Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """The next point."""

    def _generator(self, trial: FrozenTrial) -> np.random.Generator:
        return np.random.default_rng([self._seed, trial.number])
