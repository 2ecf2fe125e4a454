"""Local search on the front: next to what is best already."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import optuna
from optuna.distributions import BaseDistribution
from optuna.trial import FrozenTrial

from mbnas.sampling.base import StatelessSampler
from mbnas.sampling.gain import nondominated
from mbnas.sampling.history import History, Reader, read_trial
from mbnas.sampling.known import point_key
from mbnas.sampling.points import Points

DRAWS = 64
"""Points drawn in search of one that is not known."""


class LocalSearchSampler(StatelessSampler):
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
        super().__init__(space, seed)
        self._read = read

    def sample_relative(
        self, study: optuna.Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """The next point."""
        if not search_space:
            return {}
        points = Points(search_space)
        history = History.of(study, trial.number, points, self._read)
        rng = self._generator(trial)
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
