"""What a point would add to the hypervolume.

All quantities are losses here: less is better.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

Array = NDArray[np.float64]
DIRECTIONS = 128
"""Directions by which the hypervolume of more than two objectives is weighed."""


def nondominated(losses: Array) -> NDArray[np.intp]:
    """Indices of the rows that no other row dominates, one of equal rows, (rows, objectives)."""
    front: list[int] = []
    for at in np.lexsort(losses.T[::-1]):
        # In this order, no later row dominates an earlier one.
        if not front or not np.any(np.all(losses[front] <= losses[at], axis=1)):
            front.append(int(at))
    return np.array(front, dtype=np.intp)


def mean_gain(samples: Array, front: Array, reference: Array) -> Array:
    """The mean over samples of the hypervolume that each point would add, (points,).

    Exact for one and two objectives. For more, a mean over random directions of the gain along
    them, to which the hypervolume is proportional (Zhang and Golovin, ICML 2020).

    Args:
        samples: Possible losses of each point, (samples, points, objectives).
        front: Losses that no other dominates, (members, objectives).
        reference: Losses beyond which nothing counts, (objectives,).
    """
    within = front[np.all(front < reference, axis=1)]
    if samples.shape[2] == 1:
        best = within.min() if len(within) else reference[0]
        gains = np.maximum(best - samples[:, :, 0], 0.0)
    elif samples.shape[2] == 2:
        gains = _gain_of_two(samples, within, reference)
    else:
        gains = _gain_by_directions(samples, within, reference)
    return np.asarray(gains.mean(axis=0))


def _gain_of_two(samples: Array, front: Array, reference: Array) -> Array:
    """The area between a point and the staircase of the front, strip by strip."""
    stairs = front[np.argsort(front[:, 1])]
    edges = np.concatenate([stairs[:, 1], reference[1:]])
    levels = np.concatenate([reference[:1], stairs[:, 0]])
    first, second = samples[:, :, 0], samples[:, :, 1]
    area = np.zeros(first.shape)
    left = np.full(first.shape, -np.inf)
    for edge, level in zip(edges, levels, strict=True):
        width = np.maximum(edge - np.maximum(second, left), 0.0)
        area += width * np.maximum(level - first, 0.0)
        left = edge
    return area


def _gain_by_directions(samples: Array, front: Array, reference: Array) -> Array:
    count = samples.shape[2]
    unit = _units(front, reference)
    samples, front, reference = samples / unit, front / unit, reference / unit
    rng = np.random.default_rng(0)  # the same directions each time, or gains do not compare
    directions = np.abs(rng.standard_normal((DIRECTIONS, count)))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    gains = np.zeros(samples.shape[:2])
    for direction in directions:
        reach = np.maximum(np.min((reference - samples) / direction, axis=2), 0.0) ** count
        there = np.min((reference - front) / direction, axis=1) ** count if len(front) else [0.0]
        gains += np.maximum(reach - np.max(there), 0.0)
    return gains / DIRECTIONS * np.prod(unit)


def _units(front: Array, reference: Array) -> Array:
    """Of each objective, what to measure it in, for directions to reach all of them alike.

    Not by the samples: gains of one batch of points are held against those of the next.
    """
    if len(front):
        return np.asarray(reference - front.min(axis=0))  # above 0: the front is within
    return np.where(reference == 0, 1.0, np.abs(reference))


def normal_samples(rng: np.random.Generator, count: int, quantities: int) -> Array:
    """Standard normal numbers, (count, quantities), each quantity's spread evenly."""
    ranks = np.stack([rng.permutation(count) for _ in range(quantities)], axis=1)
    return np.asarray(ndtri((ranks + 0.5) / count))
