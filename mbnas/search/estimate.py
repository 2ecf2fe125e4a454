"""What a few sampled networks say of a search before it begins."""

from __future__ import annotations

import random
import time
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from mbnas.measure.latency import LatencyMeter
from mbnas.network import Architecture, costs
from mbnas.search.objectives import ARITHMETIC_COSTS, Goals, Limit
from mbnas.space import SearchSpace
from mbnas.training.trainer import Trainer

REFERENCE_SAMPLE = 200
REFERENCE_SHARES = (0.93, 0.94, 0.95, 0.96, 0.97)
"""Places among the sampled networks, from cheap to costly, of those that are timed."""
BEYOND_LARGEST = 1.1
"""The usual distance of a reference point from the worst values (Ishibuchi et al., 2018)."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """What a search would do, from a few networks tried for a moment.

    Attributes:
        networks: Networks tried.
        latency_ms: Their latencies, shortest and longest.
        training_seconds: Their estimated trainings, shortest and longest.
        trial_seconds: Mean time of a trial, measuring included.
    """

    networks: int
    latency_ms: tuple[float, float]
    training_seconds: tuple[float, float]
    trial_seconds: float


def sampled(space: SearchSpace, count: int, seed: int) -> list[Architecture]:
    """Networks drawn at random."""
    rng = random.Random(seed)
    return [space.architecture(space.sample(rng)) for _ in range(count)]


def estimate(
    networks: Sequence[Architecture], trainer: Trainer, meter: LatencyMeter, classes: int
) -> Estimate:
    """How long trials of such networks would take."""
    start = time.perf_counter()
    latencies = meter.measure(networks, classes)
    measuring = (time.perf_counter() - start) / len(networks)
    training = [trainer.estimate_seconds(architecture) for architecture in networks]
    times = [latency.latency_ms for latency in latencies]
    return Estimate(
        networks=len(networks),
        latency_ms=(min(times), max(times)),
        training_seconds=(min(training), max(training)),
        trial_seconds=sum(training) / len(networks) + measuring,
    )


def reference_cost(
    networks: Sequence[Architecture], goals: Goals, meter: LatencyMeter, classes: int
) -> float:
    """The limit on the cost, else what all but the costliest twentieth of the space stay under.

    Of sampled networks that keep to the limits known without running them: the costliest of all
    would leave most of the area to networks that nobody wants.
    """
    most = next((one.most for one in goals.limits if one.quantity == goals.cost), None)
    if most is None:
        most = _upper_cost(_within(networks, goals.limits, classes), goals.cost, meter, classes)
    # Of a cost with few values the greatest is that of many networks, which are to count.
    return BEYOND_LARGEST * most if goals.cost == "resolution" else most


def _within(
    networks: Sequence[Architecture], limits: Sequence[Limit], classes: int
) -> Sequence[Architecture]:
    """Those that keep to all limits on arithmetic costs; if none does, the nearest to it."""
    known = [limit for limit in limits if limit.quantity in ARITHMETIC_COSTS]

    def excess(network: Architecture) -> float:
        return max((_cost(network, one.quantity, classes) / one.most for one in known), default=0)

    return [one for one in networks if excess(one) <= 1] or [min(networks, key=excess)]


def _upper_cost(
    networks: Sequence[Architecture], quantity: str, meter: LatencyMeter, classes: int
) -> float:
    """The 95 % quantile of a cost; of one that is measured, about that.

    Multiply-accumulates do not tell exactly how long a network takes: of those around the quantile
    some are timed, and their median counts.
    """
    arithmetic = quantity in ARITHMETIC_COSTS
    by = quantity if arithmetic else "macs"
    ordered = sorted(networks, key=lambda one: _cost(one, by, classes))
    last = len(ordered) - 1
    if arithmetic:
        return _cost(ordered[round(0.95 * last)], quantity, classes)
    places = sorted({round(share * last) for share in REFERENCE_SHARES})
    latencies = meter.measure([ordered[at] for at in places], classes)
    return median(float(getattr(one, quantity)) for one in latencies)


def _cost(network: Architecture, quantity: str, classes: int) -> float:
    return float(getattr(costs(network.lower(classes)), quantity))
