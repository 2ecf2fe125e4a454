"""Local search on the front: next to what is best already."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from typing import Any

import numpy as np
import optuna
from optuna.distributions import BaseDistribution
from optuna.samplers import BaseSampler, RandomSampler
from optuna.search_space import IntersectionSearchSpace
from optuna.trial import FrozenTrial

from mbnas.sampling.gain import nondominated
from mbnas.sampling.history import History, Reader, read_trial
from mbnas.sampling.known import point_key
from mbnas.sampling.points import Points

DRAWS = 64
"""Points drawn in search of one that is not known."""


class LocalSearchSampler(BaseSampler):
    """Proposes a point that differs in one parameter from a member of the front.

    Hard to beat among methods that need no model (White et al., UAI 2021). The first points are
    drawn at random, and so is one where every neighbour of the front is known.

    Args:
        startup: Points drawn at random.
        space: The search space. Without, what all finished trials have in common.
        read: Reads finished trials.
        seed: Proposals depend on it, on the trial's number and on the study alone.
    """

    def __init__(
        self,
        startup: int = 10,
        *,
        space: Mapping[str, BaseDistribution] | None = None,
        read: Reader = read_trial,
        seed: int | None = None,
    ) -> None:
        self._startup = startup
        self._space = None if space is None else dict(space)
        self._read = read
        self._seed = secrets.randbits(64) if seed is None else seed
        self._random = RandomSampler(seed)
        self._common = IntersectionSearchSpace()

    def infer_relative_search_space(
        self,
        study: optuna.Study,
        trial: FrozenTrial,  # noqa: ARG002
    ) -> dict[str, BaseDistribution]:
        """The search space given, or what all finished trials have in common."""
        return searched(self._space, self._common, study)

    def sample_independent(
        self,
        study: optuna.Study,
        trial: FrozenTrial,
        param_name: str,
        param_distribution: BaseDistribution,
    ) -> Any:
        """At random: a parameter that not every trial has."""
        return self._random.sample_independent(study, trial, param_name, param_distribution)

    def sample_relative(
        self, study: optuna.Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """The next point."""
        if not search_space:
            return {}
        points = Points(search_space)
        history = History.of(study, trial.number, points, self._read)
        rng = np.random.default_rng([self._seed, trial.number])
        able = history.able
        taken = {point_key(point) for point in history.taken}
        if len(history.rows) >= self._startup and able.any():
            front = history.rows[able][nondominated(history.losses[able])]
            for member in rng.permutation(front):
                for row in rng.permutation(points.neighbours(member)):
                    if point_key(points.params(row)) not in taken:
                        return points.params(row)
        drawn = [points.params(row) for row in points.uniform(rng, DRAWS)]
        return next((point for point in drawn if point_key(point) not in taken), drawn[0])


def searched(
    given: dict[str, BaseDistribution] | None,
    common: IntersectionSearchSpace,
    study: optuna.Study,
) -> dict[str, BaseDistribution]:
    """A search space: the one given, or what all finished trials have in common."""
    if given is not None:
        return given
    return {
        name: distribution
        for name, distribution in common.calculate(study).items()
        if not distribution.single()
    }
