"""The cost up to which a search's hypervolume reaches."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest
from helpers import some_architectures, tiny_space

from mbnas.measure.latency import Latency
from mbnas.network import Architecture, costs
from mbnas.search.estimate import BEYOND_LARGEST, reference_cost
from mbnas.search.front import hypervolume
from mbnas.search.objectives import Goals, Limit, maximize, minimize
from mbnas.testing import FakeLatencyMeter, fake_latency_ms

NETWORKS = some_architectures(tiny_space(), 60)


def params(network: Architecture) -> int:
    return costs(network.lower(10)).params


def reference(cost: str, *limits: Limit) -> float:
    goals = Goals.of([maximize("accuracy"), minimize(cost)], limits)
    return reference_cost(NETWORKS, goals, FakeLatencyMeter(), 10)


def test_the_limit_on_the_cost_itself() -> None:
    assert reference("latency_ms", Limit("latency_ms", 3.5)) == 3.5
    assert reference("params", Limit("params", 100)) == 100


def test_without_a_limit_all_but_the_costliest_stay_under_it() -> None:
    by_size = sorted(map(params, NETWORKS))
    assert reference("params") == by_size[56]
    assert reference("latency_ms") > max(map(fake_latency_ms, NETWORKS)) / 2


def test_one_network_of_odd_latency_decides_nothing() -> None:
    by_macs = sorted(NETWORKS, key=lambda one: costs(one.lower(10)).macs)
    about = [by_macs[at] for at in (55, 56, 57)]

    class Odd(FakeLatencyMeter):
        """The middle one of them is timed ten times too long."""

        def measure(self, architectures: Sequence[Architecture], classes: int) -> list[Latency]:
            found = super().measure(architectures, classes)
            return [
                replace(one, latency_ms=10 * one.latency_ms) if network == about[1] else one
                for one, network in zip(found, architectures, strict=True)
            ]

    goals = Goals.of([maximize("accuracy"), minimize("latency_ms")])
    found = reference_cost(NETWORKS, goals, Odd(), 10)
    assert found == max(fake_latency_ms(about[0]), fake_latency_ms(about[2]))


def test_other_limits_leave_out_what_breaks_them() -> None:
    most = sorted(costs(one.lower(10)).macs for one in NETWORKS)[15]
    kept = sorted(params(one) for one in NETWORKS if costs(one.lower(10)).macs <= most)
    found = reference("params", Limit("macs", most))
    assert found == kept[round(0.95 * (len(kept) - 1))]
    assert found < reference("params")


def test_of_a_limit_that_none_keeps_to_the_nearest_counts() -> None:
    smallest = min(NETWORKS, key=params)
    assert reference("latency_ms", Limit("params", 1)) == fake_latency_ms(smallest)


@pytest.mark.parametrize("limits", [(), (Limit("resolution", 8),)], ids=["free", "limited"])
def test_the_largest_resolution_counts(limits: tuple[Limit, ...]) -> None:
    largest = max(one.resolution for one in NETWORKS if not limits or one.resolution <= 8)
    found = reference("resolution", *limits)
    assert found == pytest.approx(BEYOND_LARGEST * largest)
    assert hypervolume([(0.9, largest)], (0.1, found)) > 0
