"""What is believed of points that were not evaluated, and what they would add to the front."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from mbnas.sampling.gain import mean_gain, nondominated, normal_samples
from mbnas.sampling.history import History
from mbnas.sampling.known import Correction, chance_within
from mbnas.sampling.points import Rows
from mbnas.sampling.process import GaussianProcess
from mbnas.sampling.view import Foreknown, View

Array = NDArray[np.float64]
Scale = Literal["plain", "log_error"]
LEAST_ERROR = 1e-3
"""Errors below this count as this: the last images of a validation part decide little."""
SAMPLES = 32
LIKELY = 0.5
"""Chance of keeping the limits below which a point is proposed only where there is no other."""
MARGIN = 0.1
"""How far the reference point lies beyond the worst values, as a share of their range."""


class CostBeliefs:
    """Costs as they would be measured: what is known of them, and how measurements differ.

    Args:
        view: The search space, and what is known.
        history: What was measured.
    """

    def __init__(self, view: View, history: History) -> None:
        self.seen = view.exact(history.rows)
        self._costs = view.costs
        self._corrections = [
            None
            if cost.objective is None
            else Correction(
                self.seen.features,
                np.exp(self.seen.logs[:, at]),
                history.signs[cost.objective] * history.losses[:, cost.objective],
            )
            for at, cost in enumerate(view.costs)
        ]

    def logs(self, of: Foreknown, at: int) -> tuple[Array, Array]:
        """Mean and standard deviation of the logarithm of one cost."""
        correction = self._corrections[at]
        if correction is None:
            return of.logs[:, at], of.errors[:, at]
        shift, error = correction(of.features)
        return of.logs[:, at] + shift, np.hypot(of.errors[:, at], error)

    def chance(self, of: Foreknown) -> Array:
        """The chance that each point keeps all limits."""
        chance = np.ones(len(of.logs))
        for at, cost in enumerate(self._costs):
            if cost.most is not None:
                chance *= chance_within(*self.logs(of, at), cost.most)
        return chance


class Beliefs:
    """All objectives as they are believed to be, and the front.

    Args:
        view: The search space, and what is known.
        history: What was evaluated, and what is in evaluation.
        costs: What is believed of the costs.
        scales: Of the modelled objectives.
        reference: The hypervolume's reference point; None for one a little beyond the worst.
        rng: Draws the samples.
    """

    def __init__(
        self,
        view: View,
        history: History,
        costs: CostBeliefs,
        scales: Mapping[int, Scale],
        reference: Sequence[float] | None,
        rng: np.random.Generator,
    ) -> None:
        self._view, self._costs = view, costs
        self._signs = history.signs
        self._scales = [scales.get(at, "plain") for at in range(len(history.signs))]
        self._known = {
            c.objective: at for at, c in enumerate(view.costs) if c.objective is not None
        }
        self._normal = normal_samples(rng, SAMPLES, len(self._signs))
        self._models: dict[int, GaussianProcess] = {}
        running = view.exact(history.running)
        for at in range(len(self._signs)):
            if at not in self._known:
                there = np.isfinite(history.losses[:, at])
                values = _scaled(history.losses[there, at], self._scales[at])
                model = GaussianProcess(costs.seen.features[there], values)
                self._models[at] = model.believing(running.features)
        able = history.able
        settled = self._settled(history.losses[able], costs.seen.features[able])
        expected = np.concatenate([settled, self._means(running)])
        members = nondominated(expected)
        self.front = expected[members]
        self.front_rows = np.concatenate([history.rows[able], history.running])[members]
        whole = history.losses[np.all(np.isfinite(history.losses), axis=1)]
        self._reference = _reference(settled if len(settled) else whole, self._signs, reference)

    def merit(self, rows: Rows, exact: bool) -> Array:
        """By what rows are put in order, from the greatest on.

        What each is expected to add to the hypervolume; less than nothing for one that likely
        breaks a limit.

        Args:
            rows: Points, (points, parameters).
            exact: Work the known quantities out, rather than estimate them.
        """
        of = self._view.exact(rows) if exact else self._view.rough(rows)
        samples = np.stack(
            [
                self._losses(at, mean + deviation * self._normal[:, [at]])
                for at, (mean, deviation) in enumerate(self._objectives(of))
            ],
            axis=2,
        )
        chance = self._costs.chance(of)
        gain = mean_gain(samples, self.front, self._reference) * chance
        return np.asarray(np.where(chance < LIKELY, chance - 1, gain))

    def _objectives(self, of: Foreknown) -> list[tuple[Array, Array]]:
        """Mean and standard deviation of each objective on its scale.

        What a cost may turn out to be is no reason to try a point: that is found out for little.
        """
        found = []
        for at in range(len(self._signs)):
            if at in self._models:
                found.append(self._models[at].predict(of.features))
            else:
                found.append((self._costs.logs(of, self._known[at])[0], np.zeros(len(of.logs))))
        return found

    def _losses(self, at: int, values: Array) -> Array:
        """From an objective's scale to its losses."""
        if at in self._known:
            return np.asarray(self._signs[at] * np.exp(values))
        return np.exp(values) - 1 if self._scales[at] == "log_error" else values

    def _means(self, of: Foreknown) -> Array:
        """Expected losses, (points, objectives)."""
        return np.stack(
            [self._losses(at, mean) for at, (mean, _) in enumerate(self._objectives(of))], axis=1
        )

    def _settled(self, losses: Array, features: Array) -> Array:
        """Losses of evaluated points: noise taken off where they are modelled."""
        settled = losses.copy()
        for at, model in self._models.items():
            settled[:, at] = self._losses(at, model.predict(features)[0])
        return settled


def log_error(accuracy: Array) -> Array:
    """The logarithm of the error, on which 2% differs from 1% as 20% from 10%."""
    return np.asarray(np.log(np.maximum(1 - accuracy, LEAST_ERROR)))


def _scaled(losses: Array, scale: Scale) -> Array:
    """An accuracy's loss is −accuracy."""
    return log_error(-losses) if scale == "log_error" else losses


def _reference(losses: Array, signs: Array, given: Sequence[float] | None) -> Array:
    if given is not None:
        return np.asarray(signs * given)
    worst = losses.max(axis=0)
    spread = worst - losses.min(axis=0)
    return np.asarray(worst + MARGIN * np.where(spread > 0, spread, 1.0))
