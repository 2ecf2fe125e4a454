"""What is known of a search space before anything is evaluated."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mbnas.sampling.encoding import Encoding, Unit
from mbnas.sampling.known import Known
from mbnas.sampling.points import Points, Rows
from mbnas.sampling.process import GaussianProcess
from mbnas.sampling.spellings import Identity, Spellings

Array = NDArray[np.float64]
SAMPLE = 256
SMALLEST = 1e-12


@dataclass(frozen=True, slots=True)
class Foreknown:
    """What is known of some rows.

    Attributes:
        logs: Logarithms of the known quantities, (rows, quantities).
        errors: Their standard deviations, (rows, quantities); 0 where they were worked out.
        features: What models see, (rows, features).
    """

    logs: Array
    errors: Array
    features: Array


class View:
    """A search space with what is known of its points.

    Known quantities may take milliseconds a point. So a sample's are worked out once, and those of
    the many candidates of an ask are estimated from it; the few best are then worked out.

    Args:
        points: The search space.
        costs: What is known.
        identity: What tells points from one another; models see those alike that are the same.
    """

    def __init__(
        self, points: Points, costs: Sequence[Known], identity: Identity | None = None
    ) -> None:
        self.points = points
        self.costs = costs
        self._spellings = None if identity is None else Spellings(points, identity)
        sample = points.uniform(np.random.default_rng(0), SAMPLE)
        logs = self._exact_logs(sample)
        self._first = next((at for at, c in enumerate(costs) if c.objective is not None), None)
        cost = None if self._first is None else logs[:, self._first]
        self._encoding = Encoding(points, sample, cost)
        self._units = [Unit(column) for column in logs.T]
        plain = self.plain(sample)
        self._estimates = [GaussianProcess(plain, column) for column in logs.T]

    def exact(self, rows: Rows) -> Foreknown:
        """What is known of some rows, worked out."""
        logs = self._exact_logs(rows)
        return Foreknown(logs, np.zeros(logs.shape), self._features(rows, logs))

    def rough(self, rows: Rows) -> Foreknown:
        """The same, estimated."""
        plain = self.plain(rows)
        found = np.array([estimate.predict(plain) for estimate in self._estimates])
        logs, errors = found.reshape(len(self.costs), 2, len(rows)).transpose(1, 2, 0)
        return Foreknown(logs, errors, self._features(rows, logs))

    def plain(self, rows: Rows) -> Array:
        """Features of rows by their options alone."""
        return self._encoding(self._spelled(rows))

    def first_cost(self, rows: Rows) -> Array | None:
        """Logarithm of the first known objective, estimated; None where none is known."""
        return None if self._first is None else self.rough(rows).logs[:, self._first]

    def _exact_logs(self, rows: Rows) -> Array:
        """Logarithms of the known quantities, (rows, quantities)."""
        params = [self.points.params(row) for row in rows]
        values = [np.asarray(cost.of(params), dtype=float) for cost in self.costs]
        found = np.array(values).reshape(len(self.costs), len(rows)).T
        return np.asarray(np.log(np.maximum(found, SMALLEST)))

    def _features(self, rows: Rows, logs: Array) -> Array:
        extra = [unit(column) for unit, column in zip(self._units, logs.T, strict=True)]
        return self._encoding(self._spelled(rows), extra)

    def _spelled(self, rows: Rows) -> Rows:
        return rows if self._spellings is None else self._spellings(rows)
