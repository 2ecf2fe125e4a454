"""A front against baselines: how much more accurate, how much faster, and how sure that is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mbnas.analysis.uncertainty import Draws, Floats, Interval
from mbnas.search.front import Point, hypervolume


@dataclass(frozen=True, slots=True)
class Standing:
    """A network as it stands in a comparison.

    Attributes:
        name: What it is called.
        accuracy: Mean over its trainings, by which it is judged.
        cost: What the study minimises.
        chosen_by: Another accuracy, by which networks are chosen for a comparison; None where there
            is no other. Whoever chooses by what he judges by flatters what is chosen.
    """

    name: str
    accuracy: float
    cost: float
    chosen_by: float | None = None

    @property
    def selection(self) -> float:
        """The accuracy by which it is chosen."""
        return self.accuracy if self.chosen_by is None else self.chosen_by


@dataclass(frozen=True, slots=True)
class AgainstBaseline:
    """What a front has over one baseline.

    Attributes:
        baseline: The baseline.
        gain: How much more accurate the most accurate network of the front is that costs no more;
            None where none costs so little.
        gained_by: Which network that is.
        is_reached: Whether any network of the front is as accurate.
        reached_by: The cheapest that is, or else the most accurate of the front.
        ratio: How many times its cost the baseline's is.
        margin: How much more accurate it is.
    """

    baseline: Standing
    gain: Interval | None
    gained_by: str | None
    is_reached: bool
    reached_by: str
    ratio: Interval
    margin: Interval


@dataclass(frozen=True, slots=True)
class Versus:
    """A front against baselines.

    Attributes:
        front: The front's networks, from cheap to costly.
        against: One entry a baseline.
        hypervolume: The area that the front dominates.
        baselines_hypervolume: The area that the baselines dominate.
        difference: The first less the second. It hangs on the reference, and on how cheap the
            cheapest baseline is.
        reference: Up to which the areas are counted: (accuracy, cost).
        mean_gain: How much more accurate the front is at equal cost, a mean over the shared costs.
        shared_costs: From the least cost at which both have a network to the most that any needs.
    """

    front: tuple[Standing, ...]
    against: tuple[AgainstBaseline, ...]
    hypervolume: float
    baselines_hypervolume: float
    difference: Interval
    reference: tuple[float, float]
    mean_gain: Interval
    shared_costs: tuple[float, float]


def versus(
    front: Sequence[Standing],
    baselines: Sequence[Standing],
    draws: Draws,
    reference: tuple[float, float],
) -> Versus:
    """Holds a front against baselines.

    At equal accuracy counts the cheapest network of the front that is at least as accurate, and at
    equal cost the most accurate one that costs no more: networks that there are, nothing between
    them. Both are chosen once, by `Standing.selection`; what varies is how they are judged. Where
    that is by what the whole front was chosen by, figures of the whole front have no interval: none
    would hold.

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
    pairs = [[(one.accuracy, one.cost) for one in group] for group in (front, baselines)]
    areas = [hypervolume(pair, reference) for pair in pairs]
    larger, gain = areas[0] - areas[1], mean_gain(*pairs)
    if any(one.chosen_by is None for one in front):
        difference, gained = Interval.without(larger), Interval.without(gain)
    else:
        drawn = draws.hypervolumes(mine, reference) - draws.hypervolumes(theirs, reference)
        difference, gained = Interval.of(larger, drawn), Interval.of(gain, _gains(draws, count))
    return Versus(
        tuple(front),
        tuple(_against(front, baseline, draws, at) for at, baseline in enumerate(baselines, count)),
        areas[0],
        areas[1],
        difference,
        reference,
        gained,
        shared_costs(*pairs),
    )


def shared_costs(front: Sequence[Point], baselines: Sequence[Point]) -> tuple[float, float]:
    """From the least cost at which both have a network to the most that any network needs."""
    least = max(min(cost for _, cost in group) for group in (front, baselines))
    return least, max(cost for _, cost in (*front, *baselines))


def mean_gain(front: Sequence[Point], baselines: Sequence[Point]) -> float:
    """How much more accurate a front is at equal cost, a mean over the costs that it shares.

    At each cost counts the most accurate network of either that costs no more. Unlike a
    hypervolume, it hangs on no reference, and not on costs at which only one has a network.
    """
    least, most = shared_costs(front, baselines)
    if least == most:
        best = [max(one for one, cost in group if cost <= most) for group in (front, baselines)]
        return best[0] - best[1]
    areas = [
        hypervolume([(one, max(cost, least)) for one, cost in group], (0.0, most))
        for group in (front, baselines)
    ]
    return (areas[0] - areas[1]) / (most - least)


def _gains(draws: Draws, count: int) -> Floats:
    """The same for each draw, of which the first networks are the front's."""
    drawn = (list(zip(*pair, strict=True)) for pair in zip(draws.accuracy, draws.cost, strict=True))
    return np.array([mean_gain(every[:count], every[count:]) for every in drawn])


def _against(
    front: Sequence[Standing], baseline: Standing, draws: Draws, at: int
) -> AgainstBaseline:
    places = range(len(front))
    no_costlier = [place for place in places if front[place].cost <= baseline.cost]
    as_accurate = [place for place in places if front[place].selection >= baseline.selection]
    best = max(no_costlier, key=lambda place: front[place].selection, default=None)
    most = max(places, key=lambda place: front[place].selection)
    cheapest = min(as_accurate, key=lambda place: front[place].cost, default=most)

    def gained(place: int) -> Interval:
        drawn = draws.accuracy[:, place] - draws.accuracy[:, at]
        return Interval.of(front[place].accuracy - baseline.accuracy, drawn)

    return AgainstBaseline(
        baseline=baseline,
        gain=None if best is None else gained(best),
        gained_by=None if best is None else front[best].name,
        is_reached=bool(as_accurate),
        reached_by=front[cheapest].name,
        ratio=Interval.of(
            baseline.cost / front[cheapest].cost, draws.cost[:, at] / draws.cost[:, cheapest]
        ),
        margin=gained(cheapest),
    )
