"""What a few sampled networks say of a search before it begins."""

from __future__ import annotations

import random
import time
from collections.abc import Sequence
from dataclasses import dataclass

from mbnas.measure.latency import LatencyMeter
from mbnas.network import Architecture, costs
from mbnas.search.objectives import ARITHMETIC_COSTS, Goals
from mbnas.space import SearchSpace
from mbnas.training.trainer import Trainer

REFERENCE_SAMPLE = 200


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

    Of sampled networks: the costliest of all would leave most of the area to networks that
    nobody wants.
    """
    for limit in goals.limits:
        if limit.quantity == goals.cost:
            return limit.most
    arithmetic = goals.cost in ARITHMETIC_COSTS
    by = goals.cost if arithmetic else "macs"

    def cost(architecture: Architecture) -> float:
        return float(getattr(costs(architecture.lower(classes)), by))

    costly = sorted(networks, key=cost)[round(0.95 * (len(networks) - 1))]
    if arithmetic:
        return cost(costly)
    (latency,) = meter.measure([costly], classes)
    return float(getattr(latency, goals.cost))
