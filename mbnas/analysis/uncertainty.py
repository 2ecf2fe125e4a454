"""How sure a figure is: what it might have been, drawn many times.

Accuracies vary from seed to seed of the training, and with the images that happened to be in the
part; costs with the rounds of measuring. The spread between seeds is taken to be alike for all
networks of a contest and pooled over them: a few seeds of one network alone say little about it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mbnas.search.front import hypervolume

DRAWS = 4000
ENDS = (0.025, 0.975)
_CHUNK = 100

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Interval:
    """A figure with its 95 % interval; both ends are NaN where none would hold."""

    value: float
    low: float
    high: float

    @classmethod
    def of(cls, value: float, draws: Floats) -> Interval:
        """Of a figure, from what it might have been."""
        low, high = np.quantile(draws, ENDS, method="nearest")  # infinite ones are among them
        return cls(value, float(low), float(high))

    @classmethod
    def without(cls, value: float) -> Interval:
        """A figure alone."""
        return cls(value, math.nan, math.nan)


@dataclass(frozen=True, slots=True)
class Draws:
    """What the accuracies and costs of some networks might have been.

    Attributes:
        accuracy: (draws, networks).
        cost: (draws, networks).
    """

    accuracy: Floats
    cost: Floats

    def are_on_front(self) -> Floats:
        """For each network, the share of draws in which no other dominates it."""
        on_front = np.zeros(self.accuracy.shape[1])
        for accuracy, cost in zip(self.accuracy, self.cost, strict=True):
            better = (accuracy[:, None] >= accuracy) & (cost[:, None] <= cost)
            strictly = (accuracy[:, None] > accuracy) | (cost[:, None] < cost)
            on_front += ~(better & strictly).any(axis=0)
        return on_front / len(self.accuracy)

    def hypervolumes(self, networks: Sequence[int], reference: tuple[float, float]) -> Floats:
        """For each draw, the area that some of the networks dominate."""
        chosen = np.asarray(networks, dtype=np.intp)
        pairs = zip(self.accuracy[:, chosen], self.cost[:, chosen], strict=True)
        return np.array(
            [hypervolume(zip(*pair, strict=True), reference) for pair in pairs], dtype=float
        )


def pooled_deviation(runs: Sequence[Sequence[float]]) -> float:
    """Standard deviation between trainings of one network, pooled over networks.

    0 where no network was trained twice.
    """
    squares = [float(np.sum((np.asarray(one) - np.mean(one)) ** 2)) for one in runs]
    freedom = sum(len(one) - 1 for one in runs)
    return float(np.sqrt(sum(squares) / freedom)) if freedom else 0.0


def accuracy_draws(
    runs: Sequence[Sequence[float]],
    *,
    hits: Sequence[Floats] | None = None,
    labels: NDArray[np.int64] | None = None,
    images: float | None = None,
    seed: int = 0,
) -> Floats:
    """Mean accuracies as they might have been, (draws, networks).

    Args:
        runs: Accuracies of each network's trainings.
        hits: For each network, for each image, the share of its trainings that classify it rightly:
            then the images are drawn anew too, the same ones for all networks.
        labels: Class of each image, where the accuracy is a mean over classes: then each class has
            as many images in every draw. None draws from all images together.
        images: Without hits, the number of images behind each accuracy, which adds the spread that
            so few images have, taken to be each network's own; None adds none.
        seed: Of the drawing.
    """
    rng = np.random.default_rng(seed)
    means = np.array([np.mean(one) for one in runs], dtype=float)
    between = pooled_deviation(runs) / np.sqrt([len(one) for one in runs])
    drawn: Floats = rng.normal(0.0, 1.0, (DRAWS, len(runs))) * between
    if hits is not None:
        drawn += _resampled(np.stack(hits, axis=1), labels, rng)
        return drawn
    if images is not None:
        drawn += rng.normal(0.0, 1.0, drawn.shape) * np.sqrt(means * (1 - means) / images)
    drawn += means
    return drawn


def cost_draws(costs: Sequence[float], errors: Sequence[float], *, seed: int = 1) -> Floats:
    """Costs as they might have been, (draws, networks), never below a tenth of what was seen."""
    rng = np.random.default_rng(seed)
    values = np.asarray(costs, dtype=float)
    drawn: Floats = values + rng.normal(0.0, 1.0, (DRAWS, len(costs))) * np.asarray(errors)
    return np.maximum(drawn, values / 10)


def _resampled(hits: Floats, labels: NDArray[np.int64] | None, rng: np.random.Generator) -> Floats:
    """Accuracies on images drawn anew, of each class as many; hits (images, networks)."""
    if labels is None:
        return _redrawn(hits, rng)
    drawn: Floats = np.zeros((DRAWS, hits.shape[1]))
    for label in np.unique(labels):
        of_class = hits[labels == label]
        drawn += _redrawn(of_class, rng) * len(of_class) / len(hits)
    return drawn


def _redrawn(hits: Floats, rng: np.random.Generator) -> Floats:
    """Means over images drawn anew; hits (images, networks)."""
    count = len(hits)
    share = np.full(count, 1 / count)
    rows = [  # in chunks: all weights at once would be large
        rng.multinomial(count, share, _CHUNK).astype(np.float32) @ hits.astype(np.float32) / count
        for _ in range(DRAWS // _CHUNK)
    ]
    return np.concatenate(rows).astype(np.float64)
