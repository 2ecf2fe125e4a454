"""Whether a trial is worth going on with, asked before its training and at each rung.

Optuna prunes no trial of a study with two objectives. Here the second objective, the cost, is
known before the training, so that the question becomes one of accuracy alone: may this network
still come to be more accurate than all that are as cheap?
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtrit
from threadpoolctl import threadpool_limits

from mbnas.sampling.beliefs import log_error
from mbnas.sampling.history import MOST_SEEN
from mbnas.sampling.points import Points
from mbnas.sampling.process import GaussianProcess
from mbnas.sampling.view import View
from mbnas.search.foresight import Foresight, observed
from mbnas.search.front import broken_limit
from mbnas.search.objectives import Goals
from mbnas.search.trial import Trial

FEWEST_CURVES = 10
"""Finished curves before any trial is stopped."""
FEWEST_BEFORE_TRAINING = 20
"""Trained networks before any other is left untrained."""
CHANCE = 0.05
"""A trial is stopped where its chance of reaching the front is below this, at a rung."""
CHANCE_BEFORE_TRAINING = 0.01
PRIOR_CURVES = 2.0
"""Weight, in curves, of the belief that errors shrink alike from a rung to the end."""


@dataclass(frozen=True, slots=True)
class Stop:
    """A trial is not worth going on with.

    Attributes:
        reason: Why, in words.
        expected_accuracy: What it would likely have come to.
    """

    reason: str
    expected_accuracy: float


class Stopping(Protocol):
    """A rule by which trials are stopped."""

    def before_training(self, trial: Trial, finished: Sequence[Trial]) -> Stop | None:
        """Why a trial whose latency is measured is not trained; None lets it go on.

        Args:
            trial: Nothing of it is trained yet.
            finished: All trials on record, in the order in which they ended.
        """
        ...

    def at_rung(self, trial: Trial, finished: Sequence[Trial]) -> Stop | None:
        """Why a trial that has come to a rung is stopped; None lets it go on.

        Args:
            trial: Its curve ends at the rung.
            finished: All trials on record, in the order in which they ended.
        """
        ...


def telling_images(members: Sequence[int], quality: str) -> float:
    """So many images, drawn at random, would tell an accuracy as exactly as a part does.

    Of balanced accuracy, the mean over classes, a class of few images blurs as much as one of many.

    Args:
        members: Number of images of each class.
        quality: Which accuracy.
    """
    there = [count for count in members if count]
    if quality == "balanced_accuracy":
        return len(there) ** 2 / sum(1 / count for count in there)
    return float(sum(there))


class FrontReach:
    """Stops a trial that even with luck would not raise the front at its measured cost.

    A front is raised by what the validation part can tell: by more than one standard error of the
    accuracy that is to be beaten. Less than that is drawn anew with every split, and on a front
    that is near its end, chasing it is what most of the training goes into.

    Before the training, luck is judged by a Gaussian process of the networks' accuracies; at a
    rung, by how finished trainings went on from there. Accuracies are taken by the logarithm of
    the error, on which an error of 2% differs from one of 1% as 20% from 10%.

    Args:
        goals: What is optimised and limited.
        foresight: What is known of networks; None trains every network to its first rung.
        images: Of the validation part, in number or in what they tell (`telling_images`); None
            takes every difference for one.
    """

    def __init__(
        self, goals: Goals, foresight: Foresight | None = None, images: float | None = None
    ) -> None:
        self._goals = goals
        self._foresight = foresight
        self._images = images
        self._view: View | None = None

    def before_training(self, trial: Trial, finished: Sequence[Trial]) -> Stop | None:
        """Nothing is trained that lies far below the front by all that is known."""
        trained = self._trained(finished)
        to_beat = self._to_beat(trial, trained)
        inside = [one for one in trained if not one.outside]
        if self._foresight is None or to_beat is None or len(inside) < FEWEST_BEFORE_TRAINING:
            return None
        if self._view is None:
            self._view = View(
                Points(self._foresight.distributions),
                self._foresight.knowns(),
                self._foresight.identities,
            )
        view = self._view
        said = [(one, observed(one, self._goals)) for one in finished if not one.outside]
        usable = _thinned(
            [(one, it.values[0]) for one, it in said if it and math.isfinite(it.values[0])]
        )
        rows = np.array([view.points.row(one.params) for one, _ in usable])
        own = view.exact(view.points.row(trial.params)[None, :])
        with threadpool_limits(1, user_api="blas"):  # the cores are the trainings'
            process = GaussianProcess(
                view.exact(rows).features, log_error(np.array([value for _, value in usable]))
            )
            mean, deviation = process.predict(own.features)
        spread = math.hypot(float(deviation[0]), process.noise)
        return self._verdict(
            trial, to_beat, float(mean[0]), spread, len(inside), CHANCE_BEFORE_TRAINING
        )

    def at_rung(self, trial: Trial, finished: Sequence[Trial]) -> Stop | None:
        """Of the finished trainings, how many went on to as little error as this one needs?"""
        trained = self._trained(finished)
        to_beat = self._to_beat(trial, trained)
        epoch = len(trial.curve)
        curves = [one.curve for one in trained if len(one.curve) > epoch]
        if to_beat is None or len(curves) < FEWEST_CURVES:
            return None
        then = log_error(np.array([self._accuracy(curve[epoch - 1]) for curve in curves]))
        last = log_error(np.array([self._accuracy(curve[-1]) for curve in curves]))
        now = float(log_error(np.array([self._accuracy(trial.curve[-1])]))[0])
        mean, spread = _continued(then, last, now)
        return self._verdict(trial, to_beat, mean, spread, len(curves), CHANCE)

    def _verdict(
        self, trial: Trial, to_beat: Trial, mean: float, spread: float, known: int, chance: float
    ) -> Stop | None:
        """Stops a trial whose chance to be better than the one to beat is too small."""
        luck = float(stdtrit(max(1, known - 2), 1 - chance))  # of Student's distribution
        best = 1 - math.exp(mean - luck * spread)
        level = to_beat.value(self._goals.quality) or 0.0
        told = math.sqrt(level * (1 - level) / self._images) if self._images else 0.0
        if best >= level + told:
            return None
        cost = f"{self._goals.cost} {trial.value(self._goals.cost):.4g}"
        when = f"after {len(trial.curve)} epochs" if trial.curve else "before any training"
        reason = (
            f"{when}: {self._goals.quality} {best:.4f} at best, with {cost}; trial"
            f" {to_beat.number} is as cheap and has {level:.4f}"
            + (f" ± {told:.4f}" if told else "")
            + f" (by {known} trained networks)"
        )
        return Stop(reason, max(0.0, 1 - math.exp(mean)))

    def _trained(self, finished: Sequence[Trial]) -> list[Trial]:
        return [one for one in finished if one.status == "trained" and one.curve]

    def _to_beat(self, trial: Trial, trained: Sequence[Trial]) -> Trial | None:
        """The most accurate network that costs no more."""
        cost = trial.value(self._goals.cost)
        cheaper = [
            (one.value(self._goals.quality) or 0.0, one)
            for one in trained
            if broken_limit(one, self._goals.limits) is None
            and cost is not None
            and (one.value(self._goals.cost) or math.inf) <= cost
        ]
        return max(cheaper, key=lambda pair: pair[0], default=(0.0, None))[1]

    def _accuracy(self, epoch: object) -> float:
        return float(getattr(epoch, self._goals.quality))


def _continued(
    then: NDArray[np.float64], last: NDArray[np.float64], now: float
) -> tuple[float, float]:
    """Where a curve that stands at `now` ends, and the deviation of that, by a regression.

    Its slope is drawn towards 1, at which all errors shrink by the same share.
    """
    middle = float(then.mean())
    gained = last - then
    ridge = PRIOR_CURVES * max(float(then.var()), 1e-6)
    off = then - middle
    squares = float(off @ off) + ridge
    slope = float(off @ (gained - gained.mean())) / squares
    residuals = gained - gained.mean() - slope * off
    variance = float(residuals @ residuals) / max(1, len(then) - 2)
    mean = now + float(gained.mean()) + slope * (now - middle)
    return mean, math.sqrt(variance * (1 + 1 / len(then) + (now - middle) ** 2 / squares))


def _thinned(trained: list[tuple[Trial, float]]) -> list[tuple[Trial, float]]:
    """As many as a model looks at, spread over all."""
    if len(trained) <= MOST_SEEN:
        return trained
    places = np.linspace(0, len(trained) - 1, MOST_SEEN).round().astype(int)
    return [trained[at] for at in places]
