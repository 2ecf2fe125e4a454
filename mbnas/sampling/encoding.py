"""What a model sees of a point."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from mbnas.sampling.points import Axis, Points, Rows

Array = NDArray[np.float64]
LITTLE = 0.01
"""Share of the cost's spread below which an option's effect on it says nothing."""


class Encoding:
    """Turns rows into features, each about as wide as a unit interval.

    An option's place among the others is by what it costs, where a cost is known: that gives every
    list a meaning, however it is written down. A second feature tells the cheapest option, which
    is often an absence (no layer, no expansion, no fusion), from all others.

    Args:
        points: The search space.
        sample: Some rows.
        cost: Logarithm of a known cost of each; None where no cost is known.
    """

    def __init__(self, points: Points, sample: Rows, cost: Array | None) -> None:
        self._points = points
        self._ranks: list[Array | None] = [
            _ranked(axis) if axis.ordered else None for axis in points.axes
        ]
        if cost is not None:
            self._rank_by(sample, cost)

    def _rank_by(self, sample: Rows, cost: Array) -> None:
        """Puts the options of each list in the order of their effect on the cost."""
        columns = [
            (sample[:, at] == level).astype(float)
            for at, axis in enumerate(self._points.axes)
            for level in range(len(axis.levels))
        ]
        if not columns:
            return
        table = np.stack(columns, axis=1)
        table -= table.mean(axis=0)
        shrunk = table.T @ table + np.eye(table.shape[1])
        effects = np.linalg.solve(shrunk, table.T @ (cost - cost.mean()))
        start = 0
        for at, axis in enumerate(self._points.axes):
            own = effects[start : start + len(axis.levels)]
            start += len(axis.levels)
            if len(own) > 1 and np.ptp(own) > LITTLE * cost.std():
                self._ranks[at] = own.argsort().argsort().astype(float)

    def __call__(self, rows: Rows, extra: Sequence[Array] = ()) -> Array:
        """Features of rows, and beside them whatever else is known of each."""
        columns: list[Array] = list(extra)
        ranked: list[Array] = []
        for at, (axis, ranks) in enumerate(zip(self._points.axes, self._ranks, strict=True)):
            own = rows[:, at]
            if not axis.levels:
                columns.append(own)
            elif ranks is None:
                columns += [0.5 * (own == level) for level in range(len(axis.levels))]
            elif len(axis.levels) > 1:
                ranked.append(np.asarray(ranks[own.astype(int)] / (len(axis.levels) - 1)))
                columns.append(ranked[-1])
                if len(axis.levels) > 2:
                    columns.append(np.where(ranked[-1] > 0, 0.5, 0.0))
        if ranked:
            every = np.stack(ranked)
            columns += [every.mean(axis=0), np.where(every > 0, 1.0, 0.0).mean(axis=0)]
        if not columns:
            return np.zeros((len(rows), 1))
        return np.stack(columns, axis=1)


class Unit:
    """Brings a known quantity's logarithm to about a unit interval, by some of its values."""

    def __init__(self, logs: Array) -> None:
        self._middle = float(logs.mean())
        self._spread = 2 * float(logs.std()) or 1.0

    def __call__(self, logs: Array) -> Array:
        """In these units."""
        return (logs - self._middle) / self._spread


def _ranked(axis: Axis) -> Array:
    """Each option's place by its value; where these are words, as they are listed."""
    numbers = [level for level in axis.levels if isinstance(level, (int, float))]
    if len(numbers) < len(axis.levels):
        return np.arange(len(axis.levels), dtype=float)
    return np.argsort(np.argsort(numbers)).astype(float)
