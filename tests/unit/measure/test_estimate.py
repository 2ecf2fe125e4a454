"""The statistics of a latency: what counts, the estimate, its interval, and `noisy`."""

from __future__ import annotations

import numpy as np
import pytest

from mbnas.measure import estimate as estimates
from mbnas.measure.estimate import Estimate, enough, reference_latency_ms
from mbnas.measure.timing import Burst, Timing


def bursts(times: object, slowdown: float = 1.0, *, descheduled: bool = False) -> list[Burst]:
    """One run a burst."""
    return [
        Burst((2 * float(ms),), (float(ms),), slowdown, descheduled)
        for ms in np.atleast_1d(np.asarray(times))
    ]


def estimate(own: list[Burst], reference: list[Burst], reference_ms: float | None) -> Estimate:
    return estimates.estimate(Timing(tuple(own), tuple(reference), tuple(reference)), reference_ms)


def test_estimate_is_a_low_quantile_with_its_interval() -> None:
    times = np.random.default_rng(0).permutation(np.linspace(1, 2, 1001))
    found = estimate(bursts(times), [], None)
    assert found.latency_ms == pytest.approx(1.2, abs=0.01)
    assert found.low_ms < 1.2 < found.high_ms
    assert found.samples == 1001


def test_interval_covers_the_true_quantile_at_least_as_often_as_it_says() -> None:
    rng = np.random.default_rng(1)
    true = 1 - np.log(0.8)  # the 20 % quantile of 1 + an exponential
    found = [estimate(bursts(1 + rng.exponential(size=50)), [], None) for _ in range(300)]
    covered = np.mean([one.low_ms <= true <= one.high_ms for one in found])
    assert covered >= 0.93


def test_interval_holds_what_the_reference_network_leaves_unsure() -> None:
    rng = np.random.default_rng(3)
    true = 1 - 0.1 * np.log(0.8)  # the 20 % quantile of 1 + a tenth of an exponential
    found = [
        estimate(bursts(np.full(30, 2.0)), bursts(1 + 0.1 * rng.exponential(size=11)), true)
        for _ in range(300)
    ]
    assert np.mean([one.low_ms <= 2.0 <= one.high_ms for one in found]) >= 0.9


@pytest.mark.parametrize("slowdown", [1.0, 1.5])
def test_drift_widens_the_interval_on_slow_and_stolen_cores_too(slowdown: float) -> None:
    own = bursts(np.full(20, 2.0), slowdown, descheduled=slowdown == 1.0)
    drifting = np.repeat([1.0, 1.2, 1.4, 1.6], 5)
    even, uneven = (
        estimate(own, bursts(reference, slowdown, descheduled=slowdown == 1.0), 1.0)
        for reference in (np.full(20, 1.3), drifting)
    )
    assert (uneven.high_ms - uneven.low_ms) / uneven.latency_ms > 0.5
    assert (even.high_ms - even.low_ms) / even.latency_ms < 0.3


def test_nothing_takes_less_than_no_time() -> None:
    wild = np.repeat([1.0, 4.0, 16.0, 64.0], 5)
    assert estimate(bursts(np.full(20, 2.0)), bursts(wild), 1.0).low_ms == 0


def test_disturbed_runs_do_not_count() -> None:
    rng = np.random.default_rng(2)
    quiet = bursts(1 + 0.001 * rng.random(30))
    slow = bursts(np.full(200, 0.5), slowdown=1.5)  # shorter, which no disturbance is: to be seen
    descheduled = bursts(np.full(20, 0.5), descheduled=True)
    found = estimate([*slow, *quiet, *descheduled], [], None)
    assert found.latency_ms == pytest.approx(1.0, abs=0.002)
    assert found.samples == 30
    assert not found.noisy


def test_a_thread_that_loses_its_core_again_and_again_is_noisy() -> None:
    kept, lost = bursts(np.full(20, 1.0)), bursts(np.full(10, 1.3), descheduled=True)
    assert estimate([*kept, *lost], [], None).noisy
    assert not estimate([*kept, *lost[:3]], [], None).noisy


def test_without_undisturbed_runs_the_next_best_count_and_it_is_noisy() -> None:
    found = estimate(
        [*bursts(np.full(9, 1.6), 1.6), *bursts(np.full(9, 1.0), descheduled=True)], [], None
    )
    assert found.noisy
    assert found.latency_ms == pytest.approx(1.0)
    found = estimate(bursts(np.full(9, 3.0), slowdown=1.5), bursts(np.full(9, 1.5), 1.5), 1.0)
    assert found.noisy
    # The reference network was as slow: its own slowdown is taken off.
    assert found.latency_ms == pytest.approx(2.0)
    assert found.low_ms < 1.85
    assert found.high_ms > 2.15


def test_the_reference_network_takes_off_drift() -> None:
    quiet = estimate(bursts(np.full(9, 2.0)), bursts(np.full(9, 1.0)), 1.0)
    drifted = estimate(bursts(np.full(9, 2.2)), bursts(np.full(9, 1.1)), 1.0)
    assert drifted.latency_ms == pytest.approx(quiet.latency_ms)
    # Of slow bursts of the reference nothing is taken for fast ones of the network.
    mixed = estimate(bursts(np.full(9, 2.0)), bursts(np.full(9, 5.0), slowdown=2), 1.0)
    assert mixed.latency_ms == pytest.approx(2.0)


def test_an_unquiet_machine_widens_the_interval() -> None:
    steady = estimate(bursts(np.full(20, 2.0)), bursts(np.full(40, 1.0)), 1.0)
    drifting = estimate(bursts(np.full(20, 2.0)), bursts(np.repeat([1, 1.05, 0.98, 1.1], 10)), 1.0)
    assert drifting.high_ms - drifting.low_ms > 3 * (steady.high_ms - steady.low_ms)
    assert drifting.noisy
    assert not steady.noisy


def test_it_is_enough_when_the_interval_is_narrow_or_the_time_spent() -> None:
    rng = np.random.default_rng(3)
    assert enough(bursts(1 + 1e-3 * rng.random(20)), late=False)
    assert not enough(bursts(1 + 1e-3 * rng.random(5)), late=False)
    assert not enough(bursts(rng.uniform(1, 3, 20)), late=False)
    assert enough(bursts(rng.uniform(1, 3, 20)), late=True)
    assert not enough(bursts(rng.uniform(1, 3, 20), slowdown=1.6), late=True)


def test_the_reference_latency_wants_undisturbed_bursts() -> None:
    assert reference_latency_ms(bursts(np.full(30, 1.5), slowdown=1.6)) is None
    assert reference_latency_ms(bursts(np.full(30, 1.5))) == pytest.approx(1.5)
