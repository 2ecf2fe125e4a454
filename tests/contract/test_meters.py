"""What every latency meter keeps, the fake included."""

from __future__ import annotations

import pytest
from helpers import some_architectures, tiny_space

from mbnas.measure.latency import LatencyMeter, OrtLatencyMeter
from mbnas.testing import FakeLatencyMeter


@pytest.fixture(
    params=[lambda: OrtLatencyMeter(seconds=0.05), FakeLatencyMeter], ids=["onnxruntime", "fake"]
)
def meter(request: pytest.FixtureRequest) -> LatencyMeter:
    made: LatencyMeter = request.param()
    return made


def test_one_distribution_for_each_network_in_the_order_given(meter: LatencyMeter) -> None:
    small, large = sorted(
        (
            tiny_space().architecture(params)
            for params in (
                _params(resolution=8, width=4, depth=1),
                _params(resolution=12, width=12, depth=2),
            )
        ),
        key=lambda architecture: len(architecture.lower().nodes),
    )
    latencies = meter.measure([small, large], 10)
    assert len(latencies) == 2
    for latency in latencies:
        assert 0 <= latency.low_ms <= latency.latency_ms <= latency.high_ms
        assert latency.latency_ms > 0
        assert 0 < latency.p50_ms <= latency.p90_ms
        assert latency.runs >= latency.samples >= 3
        assert latency.slowdown > 0
        assert latency.threads == meter.threads == 1
        assert latency.reference_ms is None or latency.reference_ms > 0
        assert latency.host


def test_nothing_to_measure_is_nothing_measured(meter: LatencyMeter) -> None:
    assert meter.measure([], 10) == []


def test_interleaved_networks_do_not_mix(meter: LatencyMeter) -> None:
    architectures = some_architectures(tiny_space(), 3)
    heavy = tiny_space(
        resolution=96, stages=[{"width": 64, "block": "fused_mbconv", "expansion": 4}]
    )
    latencies = meter.measure([*architectures, some_architectures(heavy, 1)[0]], 10)
    # A hundred times the work: no machine is noisy enough to hide it.
    assert latencies[-1].latency_ms > max(latency.latency_ms for latency in latencies[:-1])


def _params(resolution: int, width: int, depth: int) -> dict[str, bool | int | float | str]:
    return {
        "resolution": resolution,
        "stage1.block": "mbconv",
        "stage1.expansion": 2,
        "stage1.width": width,
        "stage1.depth": depth,
        "stage2.block": "mbconv",
        "stage2.expansion": 2,
        "stage2.width": 8,
        "stage2.fusion": "none",
    }
