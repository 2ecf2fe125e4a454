"""What a search optimises, and the hard bounds it respects."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from mbnas.errors import StudyError
from mbnas.network.checks import nearest, shown

Direction = Literal["maximize", "minimize"]
QUALITIES = ("accuracy", "balanced_accuracy")
"""What may be maximised; the second counts rare classes as much as frequent ones."""
COSTS = ("latency_ms", "p90_ms", "params", "macs", "size_bytes", "resolution")
"""What may be minimised or limited, from cheap to use to cheap to know."""
ARITHMETIC_COSTS = ("params", "macs", "size_bytes", "resolution")
"""Costs that are known without running anything."""


@dataclass(frozen=True, slots=True)
class Objective:
    """A measured quantity to optimise.

    Attributes:
        quantity: One of `QUALITIES` or `COSTS`.
        direction: maximize or minimize.
        limit: A hard bound on the same quantity; None for none.
    """

    quantity: str
    direction: Direction
    limit: float | None = None


@dataclass(frozen=True, slots=True)
class Limit:
    """A hard bound: networks above it are not trained."""

    quantity: str
    most: float

    def __post_init__(self) -> None:
        _check_cost(self.quantity)
        if not 0 < self.most < math.inf:
            raise StudyError(f"limit {self.quantity} = {self.most:g}: must be a number above 0")


def maximize(quantity: str) -> Objective:
    """An objective to maximise: `maximize("accuracy")`, or "balanced_accuracy" for uneven classes.

    Raises:
        StudyError: not a quality.
    """
    _check_quality(quantity)
    return Objective(quantity, "maximize")


def minimize(quantity: str, limit: float | None = None) -> Objective:
    """An objective to minimise, with a hard bound if one is given.

    Raises:
        StudyError: not a cost.
    """
    _check_cost(quantity)
    return Objective(quantity, "minimize", limit)


@dataclass(frozen=True, slots=True)
class Goals:
    """Two objectives, a kind of accuracy and one cost, and all limits."""

    cost: str
    limits: tuple[Limit, ...]
    quality: str = "accuracy"

    def __post_init__(self) -> None:
        _check_cost(self.cost)
        _check_quality(self.quality)

    @classmethod
    def of(cls, objectives: Sequence[Objective], limits: Sequence[Limit] = ()) -> Goals:
        """From what a user said.

        Raises:
            StudyError: not accuracy and one cost, or two limits on one quantity.
        """
        best = [objective for objective in objectives if objective.direction == "maximize"]
        if len(objectives) != 2 or len(best) != 1:
            said = ", ".join(objective.quantity for objective in objectives) or "none"
            raise StudyError(
                f"objectives = {said}: give accuracy and one cost, such as"
                ' [maximize("accuracy"), minimize("latency_ms")]'
            )
        (cost,) = (objective for objective in objectives if objective.direction == "minimize")
        own = [] if cost.limit is None else [Limit(cost.quantity, cost.limit)]
        every = [*own, *limits]
        for limit in every:
            if sum(limit.quantity == other.quantity for other in every) > 1:
                raise StudyError(f"limit {limit.quantity}: given twice; leave one")
        return cls(cost.quantity, tuple(every), best[0].quantity)

    @property
    def quantities(self) -> tuple[str, str]:
        """Both objectives' names, the accuracy first."""
        return (self.quality, self.cost)


def _check_quality(quantity: str) -> None:
    if quantity not in QUALITIES:
        hint = nearest(quantity, QUALITIES) or f"; only {' or '.join(QUALITIES)} can be maximised"
        raise StudyError(f"maximize {shown(quantity)}: no quality{hint}")


def _check_cost(quantity: str) -> None:
    if quantity not in COSTS:
        hint = nearest(quantity, COSTS) or f"; costs are {', '.join(COSTS)}"
        raise StudyError(f"{shown(quantity)}: not a cost{hint}")
