"""How well one order of networks agrees with another."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

RESAMPLES = 2000
ENDS = (0.025, 0.975)
LEAST_NETWORKS = 8
"""Of fewer, resamples are so alike that a 95 % interval holds the true τ far less often."""


@dataclass(frozen=True, slots=True)
class Agreement:
    """Kendall's τ-b with its interval.

    Attributes:
        tau: 1 for the same order, 0 for none in common; NaN where there is nothing to order.
        low: Lower end of the 95 % bootstrap interval over networks; NaN where these are too few.
        high: Upper end.
        networks: How many were ordered.
    """

    tau: float
    low: float
    high: float
    networks: int


def agreement(one: Sequence[float], other: Sequence[float]) -> Agreement:
    """Kendall's τ-b of two values of the same networks, with a percentile bootstrap interval."""
    count = len(one)
    signs = [np.sign(np.subtract.outer(values, values)) for values in (one, other)]
    taus = _taus(signs[0], signs[1], np.ones((1, count)))
    if count < LEAST_NETWORKS or np.isnan(taus[0]):
        return Agreement(float(taus[0]) if count else np.nan, np.nan, np.nan, count)
    # A resample is how often each network is drawn: a weight of its pairs.
    rng = np.random.default_rng(0)
    drawn = rng.multinomial(count, np.full(count, 1 / count), RESAMPLES).astype(float)
    low, high = np.nanquantile(_taus(signs[0], signs[1], drawn), ENDS)
    return Agreement(float(taus[0]), float(low), float(high), count)


def best_quarter(final: Sequence[float]) -> list[int]:
    """The quarter of the networks that are best in the end, four at least where there are four."""
    count = min(len(final), max(4, round(len(final) / 4)))
    return sorted(range(len(final)), key=lambda at: -final[at])[:count]


def _taus(
    one: NDArray[np.float64], other: NDArray[np.float64], weights: NDArray[np.float64]
) -> NDArray[np.float64]:
    """τ-b for each row of weights, from the signs of all pairs' differences."""

    def over_pairs(values: NDArray[np.float64]) -> NDArray[np.float64]:
        pairs: NDArray[np.float64] = ((weights @ values) * weights).sum(axis=1)
        return pairs

    untied = over_pairs(np.abs(one)) * over_pairs(np.abs(other))
    with np.errstate(invalid="ignore", divide="ignore"):  # where all are tied: NaN
        return over_pairs(one * other) / np.sqrt(untied)
