"""Whether a limit can be met: how much of the space stays within it, and what is cheapest."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from mbnas.errors import StudyError
from mbnas.measure.latency import LatencyMeter, Predictor
from mbnas.network import Architecture, costs
from mbnas.search.foresight import rough_ms
from mbnas.search.objectives import ARITHMETIC_COSTS, Limit
from mbnas.space import Params, SearchSpace

SAMPLE = 300
MEASURED = 12


@dataclass(frozen=True, slots=True)
class Feasibility:
    """What a limit leaves of a space.

    Attributes:
        limit: The limit.
        share: Estimated share of the space's networks within it.
        cheapest: The network with the smallest value found.
        value: That value; of a latency, its interval's lower end.
    """

    limit: Limit
    share: float
    cheapest: Architecture
    value: float

    def check(self) -> None:
        """Refuses a limit that no network can meet.

        Raises:
            StudyError: even the cheapest network found is above it.
        """
        if self.value > self.limit.most:
            raise StudyError(
                f"limit {self.limit.quantity} = {self.limit.most:g}: no network of the space was"
                f" found to meet it; the cheapest, {self.cheapest.id}, needs {self.value:.4g};"
                " raise the limit, or give the space smaller options"
            )


@dataclass(frozen=True, slots=True)
class FeasibilityCheck:
    """Estimates what limits leave of a space.

    Attributes:
        space: The space.
        classes: Number of classes of the data.
        meter: Measures latencies, of a few networks.
        predictor: Predicts the others; without, they are put in order by a rough estimate.
        seed: Of the networks drawn.
    """

    space: SearchSpace
    classes: int
    meter: LatencyMeter
    predictor: Predictor | None = None
    seed: int = 0

    def of(self, limits: Iterable[Limit]) -> list[Feasibility]:
        """What each limit leaves.

        Raises:
            MeasureError: a network cannot be run.
        """
        rng = random.Random(self.seed)
        points = [self.space.sample(rng) for _ in range(SAMPLE)]
        return [
            self._by_arithmetic(limit, points)
            if limit.quantity in ARITHMETIC_COSTS
            else self._by_measuring(limit, points)
            for limit in limits
        ]

    def _by_arithmetic(self, limit: Limit, points: Sequence[Params]) -> Feasibility:
        def cost(point: Params) -> float:
            return self._cost(point, limit.quantity)

        values = [cost(point) for point in points]
        least = self._descend(points[int(np.argmin(values))], cost)
        share = float(np.mean(np.array(values) <= limit.most))
        return Feasibility(limit, share, self.space.architecture(least), cost(least))

    def _by_measuring(self, limit: Limit, points: Sequence[Params]) -> Feasibility:
        """The cheapest by estimate, and some from cheap to costly, are measured."""

        def estimate(point: Params) -> float:
            architecture = self.space.architecture(point)
            if self.predictor is not None:
                return float(self.predictor.predict([architecture])[0])
            graph = architecture.lower(self.classes)
            return rough_ms(costs(graph).macs, len(graph.nodes))

        from sklearn.isotonic import IsotonicRegression  # which takes a second to import

        points = sorted(points, key=estimate)
        least = self._descend(points[0], estimate)
        spread = np.linspace(0, len(points) - 1, MEASURED).round().astype(int)
        some = [self.space.architecture(p) for p in (least, *(points[at] for at in spread))]
        latencies = self.meter.measure(some, self.classes)
        values = np.array([getattr(one, limit.quantity) for one in latencies])
        # Between the measured ones, latency grows as the estimate does.
        estimates = np.array([estimate(point) for point in points])
        grows = IsotonicRegression(out_of_bounds="clip").fit(estimates[spread], values[1:])
        curve = grows.predict(estimates)
        at = int(values.argmin())
        surely = latencies[at].low_ms if limit.quantity == "latency_ms" else float(values[at])
        return Feasibility(limit, float(np.mean(curve <= limit.most)), some[at], surely)

    def _cost(self, point: Params, quantity: str) -> float:
        graph = self.space.architecture(point).lower(self.classes)
        return float(getattr(costs(graph), quantity))

    def _descend(self, point: Params, cost: Callable[[Params], float]) -> Params:
        """From a point along single choices, always to the cheapest neighbour, to the last."""
        here = cost(point)
        while True:
            others = [(cost(other), other) for other in self.space.neighbours(point)]
            least, other = min(others, key=lambda pair: pair[0], default=(here, point))
            if least >= here:
                return point
            here, point = least, other
