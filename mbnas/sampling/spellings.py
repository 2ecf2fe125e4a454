"""Points that are the same thing, written in one way."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from itertools import combinations
from typing import Any

import numpy as np

from mbnas.sampling.points import Points, Rows

Identity = Callable[[Sequence[Mapping[str, Any]]], Sequence[Hashable]]
"""What tells points from one another, where several points may be the same thing."""
CONTEXTS = 16
"""Points in which two options must be able to change places without a difference."""


class Spellings:
    """Finds which options may change places, and puts them in one order.

    In a space with absent layers, `3×3, none, 5×5` and `3×3, 5×5, none` may be one network. A
    model that sees the two alike learns of both at once. What is found is found by trying on a few
    points; it serves models alone, never to tell points apart.

    Args:
        points: The search space.
        identity: What tells points from one another.
    """

    def __init__(self, points: Points, identity: Identity) -> None:
        self._points, self._identity = points, identity
        rng = np.random.default_rng(0)
        self._swaps = [
            (first, second, low, high)
            for first, second in self._alike()
            for low, high in combinations(range(len(points.axes[first].levels)), 2)
            if self._is_free(first, second, low, high, rng)
        ]

    def __call__(self, rows: Rows) -> Rows:
        """The same things, options that may change places in falling order."""
        rows = rows.copy()
        changed = bool(self._swaps)
        while changed:
            changed = False
            for first, second, low, high in self._swaps:
                rising = (rows[:, first] == low) & (rows[:, second] == high)
                if rising.any():
                    rows[rising, first], rows[rising, second] = high, low
                    changed = True
        return rows

    def _alike(self) -> Iterator[tuple[int, int]]:
        """Pairs of parameters that have the same options."""
        axes = self._points.axes
        for first, second in combinations(range(len(axes)), 2):
            if len(axes[first].levels) > 1 and axes[first].levels == axes[second].levels:
                yield first, second

    def _is_free(
        self, first: int, second: int, low: int, high: int, rng: np.random.Generator
    ) -> bool:
        """Whether two options of two parameters may change places."""
        for _ in range(CONTEXTS):
            row = self._points.uniform(rng, 1)[0]
            row[[first, second]] = low, high
            swapped = row.copy()
            swapped[[first, second]] = high, low
            one, other = self._identity([self._points.params(row), self._points.params(swapped)])
            if one != other:
                return False
        return True
