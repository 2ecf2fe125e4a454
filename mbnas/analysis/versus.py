"""A front against baselines: how much more accurate, how much faster, and how sure that is."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mbnas.analysis.uncertainty import Draws, Floats, Interval
from mbnas.search.front import hypervolume


@dataclass(frozen=True, slots=True)
class Standing:
    """A network as it stands in a comparison.

    Attributes:
        name: What it is called.
        accuracy: Mean over its trainings.
        cost: What the study minimises.
    """

    name: str
    accuracy: float
    cost: float


@dataclass(frozen=True, slots=True)
class AgainstBaseline:
    """What a front has over one baseline.

    Attributes:
        baseline: The baseline.
        gain: How much more accurate the most accurate network of the front is that costs no more;
            None where none costs so little.
        gained_by: Which network that is.
        ratio: How many times the cost of the cheapest network of the front that is as accurate the
            baseline's is; None where none is so accurate.
        reached_by: Which network that is.
    """

    baseline: Standing
    gain: Interval | None
    gained_by: str | None
    ratio: Interval | None
    reached_by: str | None


@dataclass(frozen=True, slots=True)
class Versus:
    """A front against baselines.

    Attributes:
        front: The front's networks, from cheap to costly.
        against: One entry a baseline.
        hypervolume: The area that the front dominates.
        baselines_hypervolume: The area that the baselines dominate.
        difference: The first less the second.
        reference: Up to which the areas are counted: (accuracy, cost).
    """

    front: tuple[Standing, ...]
    against: tuple[AgainstBaseline, ...]
    hypervolume: float
    baselines_hypervolume: float
    difference: Interval
    reference: tuple[float, float]


def versus(
    front: Sequence[Standing],
    baselines: Sequence[Standing],
    draws: Draws,
    reference: tuple[float, float],
) -> Versus:
    """Holds a front against baselines.

    At equal accuracy counts the cheapest network of the front that is at least as accurate, and at
    equal cost the most accurate one that costs no more: networks that there are, nothing between
    them. Both are looked for anew in every draw.

    Args:
        front: The front's networks.
        baselines: What they are held against.
        draws: Of the front's networks and then of the baselines, in this order.
        reference: Of the study's hypervolume; its cost is raised to what the costliest network
            here needs, so that no area is cut off.
    """
    count = len(front)
    reference = (reference[0], max(reference[1], *(one.cost for one in (*front, *baselines))))
    mine, theirs = range(count), range(count, count + len(baselines))
    areas = [
        hypervolume([(one.accuracy, one.cost) for one in group], reference)
        for group in (front, baselines)
    ]
    drawn = draws.hypervolumes(mine, reference) - draws.hypervolumes(theirs, reference)
    return Versus(
        tuple(front),
        tuple(_against(front, baseline, draws, at) for at, baseline in enumerate(baselines, count)),
        areas[0],
        areas[1],
        Interval.of(areas[0] - areas[1], drawn),
        reference,
    )


def _against(
    front: Sequence[Standing], baseline: Standing, draws: Draws, at: int
) -> AgainstBaseline:
    count = len(front)
    no_costlier = [one for one in front if one.cost <= baseline.cost]
    as_accurate = [one for one in front if one.accuracy >= baseline.accuracy]
    gains = _gains(draws, count, at)
    ratios = _ratios(draws, count, at)
    best = max(no_costlier, key=lambda one: one.accuracy, default=None)
    cheapest = min(as_accurate, key=lambda one: one.cost, default=None)
    return AgainstBaseline(
        baseline,
        None if best is None else Interval.of(best.accuracy - baseline.accuracy, gains),
        None if best is None else best.name,
        None if cheapest is None else Interval.of(baseline.cost / cheapest.cost, ratios),
        None if cheapest is None else cheapest.name,
    )


def _gains(draws: Draws, count: int, at: int) -> Floats:
    """For each draw, accuracy gained at no more cost; -∞ where nothing costs so little."""
    allowed = draws.cost[:, :count] <= draws.cost[:, [at]]
    best = np.where(allowed, draws.accuracy[:, :count], -math.inf).max(axis=1)
    gains: Floats = best - draws.accuracy[:, at]
    return gains


def _ratios(draws: Draws, count: int, at: int) -> Floats:
    """For each draw, the ratio of costs at no less accuracy; 0 where nothing is so accurate."""
    allowed = draws.accuracy[:, :count] >= draws.accuracy[:, [at]]
    least = np.where(allowed, draws.cost[:, :count], math.inf).min(axis=1)
    ratios: Floats = draws.cost[:, at] / least
    return ratios
