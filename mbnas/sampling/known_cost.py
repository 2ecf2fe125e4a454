"""A sampler that knows what a point costs, and models only what must be trained for."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import optuna
from optuna.distributions import BaseDistribution
from optuna.trial import FrozenTrial
from threadpoolctl import threadpool_limits

from mbnas.sampling.base import StatelessSampler
from mbnas.sampling.beliefs import LIKELY, Beliefs, CostBeliefs, Scale
from mbnas.sampling.history import History, Reader, golden, read_trial
from mbnas.sampling.known import Known, Remembered, point_key
from mbnas.sampling.points import Points, Rows
from mbnas.sampling.spellings import Identity
from mbnas.sampling.view import View

UNIFORM, CROSSED, CHANGED = 600, 400, 400
"""Candidates of each kind that an ask begins with, neighbours of the front aside."""
DESIGN = 2000
SPREAD = 32
"""Points near a cost, of which the one farthest from all others is taken."""
PARENTS = 24
"""Members of the front whose neighbours are all looked at."""
CLIMBED = 12
CLIMBS = 2
"""Candidates whose neighbours are looked at in turn, and how often."""
FINALISTS = 96
"""Candidates whose known costs are worked out rather than estimated."""


class KnownCostSampler(StatelessSampler):
    """Proposes the point whose expected gain in hypervolume is greatest.

    For studies in which some objectives are known before anything is evaluated, exactly or about,
    such as the latency or the size of a network, and the others must be paid for, such as its
    accuracy. These are modelled by Gaussian processes, those are taken as known; where measured
    values differ from what was known, the difference is learned. It begins with points spread
    over the range of the first known cost. Networks in evaluation are taken into account, so that
    several workers get different ones.

    Args:
        costs: What is known.
        scales: Of objectives that are modelled: "log_error" for an accuracy, of which each
            halving of the error counts alike; "plain" (the default) for others.
        space: The search space. Without, it is what all finished trials have in common, as for
            other samplers, and the first trial is drawn at random.
        reference: The hypervolume's reference point; by default, a little beyond the worst values.
        identity: What tells points from one another, for spaces in which several points are the
            same thing; the same thing is not proposed twice.
        read: Reads finished trials; by default, complete ones by their values and constraints.
        seed: Proposals depend on it, on the trial's number and on the study alone.
    """

    def __init__(
        self,
        costs: Sequence[Known] = (),
        *,
        scales: Mapping[int, Scale] | None = None,
        space: Mapping[str, BaseDistribution] | None = None,
        reference: Sequence[float] | None = None,
        identity: Identity | None = None,
        read: Reader = read_trial,
        seed: int | None = None,
    ) -> None:
        self._costs = [Known(Remembered(cost.of), cost.objective, cost.most) for cost in costs]
        self._scales = dict(scales or {})
        super().__init__(space, seed)
        self._reference = reference
        self._given_identity = identity
        self._identity = Remembered(identity or (lambda some: [point_key(one) for one in some]))
        self._read = read
        self._view: tuple[dict[str, BaseDistribution], View] | None = None

    def sample_relative(
        self, study: optuna.Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """The next point."""
        if not search_space:
            return {}
        # On matrices so small, more threads wait for each other, and for trainings beside them.
        with threadpool_limits(1, user_api="blas"):
            return self._proposed(study, trial, search_space)

    def _proposed(
        self, study: optuna.Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        view = self._view_of(search_space)
        history = History.of(study, trial.number, view.points, self._read).seen()
        rng = self._generator(trial)
        taken = set(self._identity(history.taken))
        costs = CostBeliefs(view, history)
        if history.whole + len(history.running) < first_points(view.points) or history.whole < 2:
            ranked = self._spread(view, history, costs, trial.number, rng)
        else:
            beliefs = Beliefs(view, history, costs, self._scales, self._reference, rng)
            ranked = self._by_gain(view, history, beliefs, rng)
        candidates = [view.points.params(row) for row in ranked]
        fresh = next((one for one in candidates if self._identity([one])[0] not in taken), None)
        if fresh is not None:
            return fresh
        # All of these are known: something else that likely keeps the limits.
        rows = view.points.uniform(rng, FINALISTS)
        rows = rows[np.argsort(-costs.chance(view.exact(rows)), kind="stable")]
        points = [view.points.params(row) for row in rows]
        return next((one for one in points if self._identity([one])[0] not in taken), points[0])

    def _view_of(self, space: dict[str, BaseDistribution]) -> View:
        if self._view is None or self._view[0] != space:
            self._view = (dict(space), View(Points(space), self._costs, self._given_identity))
        return self._view[1]

    def _spread(
        self,
        view: View,
        history: History,
        costs: CostBeliefs,
        number: int,
        rng: np.random.Generator,
    ) -> Rows:
        """Rows near some cost, and of these, the farthest from all others first."""
        rows = view.points.uniform(rng, DESIGN)
        chance = costs.chance(view.rough(rows))
        rows = rows[chance >= min(LIKELY, float(chance.max()))]
        logs = view.first_cost(rows)
        if logs is not None:
            low, high = np.quantile(logs, [0.01, 0.99])
            off = np.abs(logs - (low + golden(number) * (high - low)))
            rows = rows[np.argsort(off, kind="stable")]
        rows = rows[:SPREAD]
        likely = costs.chance(view.exact(rows)) >= LIKELY  # the rough costs let others through
        rows = rows[likely] if likely.any() else rows
        there = np.concatenate([history.rows, history.running])
        if not len(there):
            return rows
        mine, theirs = view.plain(rows), view.plain(there)
        distances = np.abs(mine[:, None, :] - theirs).sum(axis=2).min(axis=1)
        return rows[np.argsort(-distances, kind="stable")]

    def _by_gain(
        self, view: View, history: History, beliefs: Beliefs, rng: np.random.Generator
    ) -> Rows:
        """The best rows found, by the gain that they promise, from the greatest on."""
        rows = self._candidates(view, history, beliefs.front_rows, rng)
        gains = beliefs.merit(rows, exact=False)
        for _ in range(CLIMBS):
            best = rows[np.argsort(-gains, kind="stable")[:CLIMBED]]
            beside = np.concatenate([view.points.neighbours(row) for row in best])
            rows = np.concatenate([rows, beside])
            gains = np.concatenate([gains, beliefs.merit(beside, exact=False)])
        known = {row.tobytes() for row in np.concatenate([history.rows, history.running])}
        fresh: dict[bytes, int] = {}
        for at in np.argsort(-gains, kind="stable"):
            if len(fresh) < FINALISTS and rows[at].tobytes() not in known:
                fresh.setdefault(rows[at].tobytes(), int(at))
        finalists = rows[list(fresh.values())]
        if not len(finalists):
            return finalists
        return finalists[np.argsort(-beliefs.merit(finalists, exact=True), kind="stable")]

    def _candidates(
        self, view: View, history: History, front: Rows, rng: np.random.Generator
    ) -> Rows:
        """Drawn at random, and from the front: crossed, changed in two places, and beside it."""
        points = view.points
        parents = front if len(front) else history.rows
        pairs = parents[rng.integers(len(parents), size=CHANGED)]
        return np.concatenate(
            [
                points.uniform(rng, UNIFORM),
                points.crossed(rng, parents, CROSSED),
                points.changed(rng, pairs, 2),
                *(points.neighbours(row) for row in parents[:: -(-len(parents) // PARENTS)]),
            ]
        )


def first_points(points: Points) -> int:
    """How many points are spread over the costs before the first model."""
    return 1 + math.ceil(math.sqrt(len(points.names)))
