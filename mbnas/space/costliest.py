"""The costliest network of a space, found by climbing choice by choice."""

from __future__ import annotations

import random
from collections.abc import Callable

from mbnas.network import Architecture, costs
from mbnas.space.space import SearchSpace

STARTS = 32


def macs(architecture: Architecture) -> float:
    """Multiply-accumulates, the usual stand-in for time."""
    return costs(architecture.lower()).macs


def costliest(
    space: SearchSpace, cost: Callable[[Architecture], float] = macs, seed: int = 0
) -> Architecture:
    """A network of the space from which no single choice leads to a costlier one.

    Costs grow with nearly every choice on its own, so this is the costliest or close to it.
    """
    rng = random.Random(seed)
    samples = [space.sample(rng) for _ in range(STARTS)]
    best = max(samples, key=lambda params: cost(space.architecture(params)))
    # Choice after choice, the best option with all others held, until a round changes nothing.
    while True:
        before = best
        for choice in space.choices:
            options = [{**best, choice.name: label} for label in choice.labels]
            best = max(options, key=lambda params: cost(space.architecture(params)))
        if best == before:
            return space.architecture(best)
