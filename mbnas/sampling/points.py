"""The points of an Optuna search space as rows of numbers, and moves between them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)

Rows = NDArray[np.float64]
"""Points, (points, parameters): the option's index, or the place in a range in [0, 1]."""
MOST_LEVELS = 32
"""Values of a stepped number up to which they count as options one by one."""
STEPS = (-0.3, -0.1, -0.03, 0.03, 0.1, 0.3)
"""How far neighbours lie along a range."""


class Axis:
    """One parameter: some options, or a range.

    Attributes:
        levels: The options' values; empty for a range.
        ordered: Whether the options stand in an order that means something.
    """

    def __init__(self, distribution: BaseDistribution) -> None:
        self._distribution = distribution
        self.levels: tuple[Any, ...] = ()
        self.ordered = True
        self._places: dict[tuple[type, Any], float] = {}
        if isinstance(distribution, CategoricalDistribution):
            self.levels = tuple(distribution.choices)
            # With their types: 1, 1.0 and true are equal in Python.
            self._places = {(type(it), it): float(at) for at, it in enumerate(self.levels)}
            self.ordered = len(self.levels) < 3 or all(
                isinstance(level, (int, float)) for level in self.levels
            )
        elif isinstance(distribution, (IntDistribution, FloatDistribution)):
            self.levels = _stepped(distribution)
        else:
            raise TypeError(f"{type(distribution).__name__}: no distribution of Optuna's")

    def index(self, value: Any) -> float:
        """Where a value stands."""
        if isinstance(self._distribution, CategoricalDistribution):
            place = self._places.get((type(value), value))
            return self._distribution.to_internal_repr(value) if place is None else place
        if self.levels:
            distances = [abs(level - value) for level in self.levels]
            return float(np.argmin(distances))
        low, high = self._bounds()
        number = math.log(value) if self._log else value
        # Two numbers side by side may have the same logarithm.
        return (number - low) / (high - low) if high > low else 0.0

    def value(self, index: float) -> Any:
        """What stands there, as Optuna takes it."""
        if self.levels:
            return self.levels[round(index)]
        low, high = self._bounds()
        number = low + min(1.0, max(0.0, index)) * (high - low)
        number = math.exp(number) if self._log else number
        distribution = self._distribution
        assert isinstance(distribution, (IntDistribution, FloatDistribution))
        if distribution.step is not None:
            steps = round((number - distribution.low) / distribution.step)
            number = distribution.low + steps * distribution.step
        number = min(distribution.high, max(distribution.low, number))
        return int(number) if isinstance(distribution, IntDistribution) else float(number)

    def draw(self, rng: np.random.Generator, count: int) -> NDArray[np.float64]:
        """So many places, all equally likely."""
        if self.levels:
            return rng.integers(len(self.levels), size=count).astype(float)
        return rng.random(count)

    def others(self, index: float) -> NDArray[np.float64]:
        """Places beside this one: every other option, or some steps along the range."""
        if self.levels:
            return np.array([at for at in range(len(self.levels)) if at != index], float)
        places = index + np.array(STEPS)
        return places[(places >= 0) & (places <= 1)]

    @property
    def _log(self) -> bool:
        return bool(getattr(self._distribution, "log", False))

    def _bounds(self) -> tuple[float, float]:
        distribution = self._distribution
        assert isinstance(distribution, (IntDistribution, FloatDistribution))
        if self._log:
            return math.log(distribution.low), math.log(distribution.high)
        return float(distribution.low), float(distribution.high)


class Points:
    """A search space whose points are rows of numbers."""

    def __init__(self, distributions: Mapping[str, BaseDistribution]) -> None:
        self.names = list(distributions)
        self.axes = [Axis(distribution) for distribution in distributions.values()]

    def row(self, params: Mapping[str, Any]) -> NDArray[np.float64]:
        """The row of a point."""
        return np.array(
            [axis.index(params[name]) for name, axis in zip(self.names, self.axes, strict=True)]
        )

    def params(self, row: Sequence[float] | NDArray[np.float64]) -> dict[str, Any]:
        """The point of a row, as Optuna takes it."""
        return {
            name: axis.value(float(index))
            for name, axis, index in zip(self.names, self.axes, row, strict=True)
        }

    def uniform(self, rng: np.random.Generator, count: int) -> Rows:
        """Points drawn at random."""
        return np.stack([axis.draw(rng, count) for axis in self.axes], axis=1)

    def neighbours(self, row: NDArray[np.float64]) -> Rows:
        """Points that differ from this one in one parameter."""
        found = []
        for at, axis in enumerate(self.axes):
            for place in axis.others(float(row[at])):
                other = row.copy()
                other[at] = place
                found.append(other)
        return np.array(found).reshape(-1, len(self.axes))

    def changed(self, rng: np.random.Generator, rows: Rows, changes: int) -> Rows:
        """Of each row a copy in which so many parameters, at random, are drawn anew."""
        fresh = self.uniform(rng, len(rows))
        draws = rng.random(rows.shape)
        chosen = draws <= np.sort(draws, axis=1)[:, [min(changes, rows.shape[1]) - 1]]
        return np.where(chosen, fresh, rows)

    def crossed(self, rng: np.random.Generator, rows: Rows, count: int) -> Rows:
        """Children of pairs of rows, each parameter from either."""
        mothers, fathers = rows[rng.integers(len(rows), size=(2, count))]
        return np.asarray(np.where(rng.random(mothers.shape) < 0.5, mothers, fathers))


def _stepped(distribution: IntDistribution | FloatDistribution) -> tuple[Any, ...]:
    """The values of a number that has few of them."""
    if distribution.single():
        return (distribution.low,)
    if distribution.step is None:
        return ()
    count = round((distribution.high - distribution.low) / distribution.step) + 1
    if count > MOST_LEVELS:
        return ()
    values = [distribution.low + at * distribution.step for at in range(count)]
    # 0.1 + 2 × 0.1 may lie a hair above 0.3.
    return tuple(min(distribution.high, value) for value in values)
