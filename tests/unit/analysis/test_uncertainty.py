"""What figures might have been."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mbnas.analysis.uncertainty import (
    DRAWS,
    Draws,
    Interval,
    accuracy_draws,
    cost_draws,
    pooled_deviation,
)


def test_the_spread_between_seeds_is_pooled() -> None:
    assert pooled_deviation([[0.1, 0.3], [0.5, 0.5, 0.5]]) == pytest.approx((0.02 / 3) ** 0.5)
    assert pooled_deviation([[0.1], [0.5]]) == 0.0
    assert pooled_deviation([]) == 0.0


def test_means_vary_with_the_seeds() -> None:
    drawn = accuracy_draws([[0.8, 0.9], [0.4, 0.5], [0.6]])
    deviation = pooled_deviation([[0.8, 0.9], [0.4, 0.5], [0.6]])
    assert drawn.shape == (DRAWS, 3)
    assert drawn.mean(axis=0) == pytest.approx([0.85, 0.45, 0.6], abs=0.005)
    expected = [deviation / 2**0.5, deviation / 2**0.5, deviation]
    assert drawn.std(axis=0) == pytest.approx(expected, rel=0.05)
    one = np.corrcoef(drawn[:, 0], drawn[:, 1])[0, 1]
    assert abs(one) < 0.06, "each network varies by itself"


def test_few_images_make_an_accuracy_unsure() -> None:
    drawn = accuracy_draws([[0.8], [0.5]], images=100)
    assert drawn.std(axis=0) == pytest.approx([0.04, 0.05], rel=0.05)
    assert accuracy_draws([[0.8], [0.5]]).std() == pytest.approx(0.15), "not without their number"


def test_images_drawn_anew_are_the_same_for_all_networks() -> None:
    rng = np.random.default_rng(0)
    hits = (rng.random(400) < 0.7).astype(float)
    drawn = accuracy_draws([[hits.mean()]] * 2, hits=[hits, hits])
    assert drawn.mean() == pytest.approx(hits.mean(), abs=0.003)
    assert drawn[:, 0].std() == pytest.approx((0.21 / 400) ** 0.5, rel=0.1)
    assert drawn[:, 0] == pytest.approx(drawn[:, 1]), "equal networks never differ"


def test_of_balanced_accuracy_images_are_drawn_within_each_class() -> None:
    labels = np.repeat([0, 1], [980, 20])
    right = np.where(labels == 0, np.arange(1000) % 10 > 0, np.arange(1000) % 5 > 0)
    weighted = right * 1000 / np.where(labels == 0, 2 * 980, 2 * 20)
    value = weighted.mean()
    assert value == pytest.approx(0.85)
    drawn = accuracy_draws([[value]], hits=[weighted], labels=labels)
    expected = (0.9 * 0.1 / 980 + 0.8 * 0.2 / 20) ** 0.5 / 2
    assert drawn.mean() == pytest.approx(value, abs=0.003)
    assert drawn.std() == pytest.approx(expected, rel=0.05)
    assert drawn.max() <= 1


def test_costs_vary_by_their_errors_and_stay_above_nothing() -> None:
    drawn = cost_draws([1.0, 2.0], [0.0, 5.0])
    assert set(drawn[:, 0]) == {1.0}
    assert drawn[:, 1].min() == pytest.approx(0.2)


def test_the_share_of_draws_on_the_front() -> None:
    accuracy = np.array([[0.9, 0.8, 0.7], [0.9, 0.95, 0.7]])
    cost = np.array([[1.0, 2.0, 0.5], [1.0, 2.0, 1.5]])
    assert Draws(accuracy, cost).are_on_front().tolist() == [1.0, 0.5, 0.5]
    equal = Draws(np.full((1, 2), 0.5), np.ones((1, 2)))
    assert equal.are_on_front().tolist() == [1.0, 1.0], "neither of two equals is better"


@given(st.lists(st.floats(0, 1), min_size=1, max_size=30), st.floats(0, 1))
def test_an_interval_holds_most_of_the_draws(values: list[float], value: float) -> None:
    found = Interval.of(value, np.array(values))
    assert found.value == value
    assert min(values) <= found.low <= found.high <= max(values)


def test_an_interval_may_be_endless() -> None:
    found = Interval.of(1.0, np.array([-np.inf] * 10 + [1.0] * 90))
    assert (found.low, found.high) == (-np.inf, 1.0)
