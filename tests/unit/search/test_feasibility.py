"""What limits leave of a space."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np
import pytest
from helpers import tiny_space
from numpy.typing import NDArray

from mbnas.errors import StudyError
from mbnas.network import Architecture, costs
from mbnas.search.feasibility import FeasibilityCheck
from mbnas.search.objectives import Limit
from mbnas.testing import FakeLatencyMeter, fake_latency_ms

SPACE = tiny_space()


def every_network() -> list[Architecture]:
    labels = [choice.labels for choice in SPACE.choices]
    names = [choice.name for choice in SPACE.choices]
    return [
        SPACE.architecture(dict(zip(names, point, strict=True)))
        for point in itertools.product(*labels)
    ]


@pytest.fixture(scope="module")
def networks() -> list[Architecture]:
    return every_network()


class Exact:
    """A predictor that knows."""

    def predict(self, architectures: Sequence[Architecture]) -> NDArray[np.float64]:
        return np.array([fake_latency_ms(architecture) for architecture in architectures])


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_share_and_cheapest_by_arithmetic(networks: list[Architecture], share: float) -> None:
    params = sorted(costs(one.lower(10)).params for one in networks)
    limit = Limit("params", params[int(share * len(params))])
    (found,) = FeasibilityCheck(SPACE, 10, FakeLatencyMeter()).of([limit])
    assert found.share == pytest.approx(share, abs=0.1)
    assert found.value == params[0]
    found.check()


@pytest.mark.parametrize("predictor", [None, Exact()], ids=["interpolated", "predicted"])
def test_share_and_cheapest_by_latency(
    networks: list[Architecture], predictor: Exact | None
) -> None:
    latencies = sorted(fake_latency_ms(one) for one in networks)
    meter = FakeLatencyMeter()
    limit = Limit("latency_ms", latencies[len(latencies) // 2])
    (found,) = FeasibilityCheck(SPACE, 10, meter, predictor).of([limit])
    assert found.share == pytest.approx(0.5, abs=0.15)
    assert latencies[0] * 0.98 <= found.value <= latencies[len(latencies) // 20]
    assert len(meter.measured) <= 13
    found.check()


def test_a_limit_that_nothing_meets_is_refused_with_the_cheapest_network() -> None:
    check = FeasibilityCheck(SPACE, 10, FakeLatencyMeter(), Exact())
    for limit in (Limit("latency_ms", 1e-4), Limit("params", 10)):
        (found,) = check.of([limit])
        assert found.share == 0
        with pytest.raises(StudyError, match=f"limit {limit.quantity} = .*{found.cheapest.id}"):
            found.check()


def test_a_space_with_one_network_is_checked_too() -> None:
    one = tiny_space(
        resolution=8,
        defaults={"block": "mbconv", "expansion": 1, "kernel": 3},
        stages=[{"width": 4, "stride": 2, "depth": 1}],
    )
    (found,) = FeasibilityCheck(one, 10, FakeLatencyMeter()).of([Limit("latency_ms", 100)])
    assert found.share == 1
