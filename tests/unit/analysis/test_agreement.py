"""Kendall's τ-b and its interval."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy.stats import kendalltau

from mbnas.analysis.agreement import LEAST_NETWORKS, agreement, best_quarter

VALUES = st.lists(st.integers(0, 8), min_size=3, max_size=12)


@given(pairs=st.lists(st.tuples(st.integers(0, 8), st.integers(0, 8)), min_size=3, max_size=15))
def test_it_is_scipys(pairs: list[tuple[int, int]]) -> None:
    one, other = zip(*pairs, strict=True)
    expected = float(kendalltau(one, other).statistic)
    found = agreement(one, other)
    assert found.tau == pytest.approx(expected, nan_ok=True)
    if not math.isnan(expected) and not math.isnan(found.low):
        assert -1 - 1e-9 <= found.low <= found.high <= 1 + 1e-9


@given(values=VALUES)
def test_an_order_agrees_with_itself_and_not_with_its_reverse(values: list[int]) -> None:
    assume(len(set(values)) > 1)
    assert agreement(values, values).tau == pytest.approx(1)
    assert agreement(values, [-value for value in values]).tau == pytest.approx(-1)


def test_the_interval_narrows_with_more_networks() -> None:
    rng = np.random.default_rng(0)
    widths = []
    for count in (8, 80):
        values = rng.normal(size=count)
        found = agreement(values.tolist(), (values + rng.normal(0, 0.7, count)).tolist())
        assert found.low < found.tau < found.high
        widths.append(found.high - found.low)
    assert widths[1] < widths[0] / 2


def test_nothing_to_order_is_said_so() -> None:
    assert math.isnan(agreement([], []).tau)
    assert math.isnan(agreement([1, 1, 1], [1, 2, 3]).tau)
    assert math.isnan(agreement([1, 2], [1, 2]).low)


def test_few_networks_have_an_order_but_no_interval() -> None:
    few = agreement(range(LEAST_NETWORKS - 1), range(LEAST_NETWORKS - 1))
    assert few.tau == pytest.approx(1)
    assert math.isnan(few.low)
    assert math.isnan(few.high)
    enough = agreement(range(LEAST_NETWORKS), range(LEAST_NETWORKS))
    assert enough.low == pytest.approx(1)


def test_the_best_quarter_is_the_best_and_four_at_least() -> None:
    assert best_quarter([0.1, 0.9, 0.5, 0.7, 0.3]) == [1, 3, 2, 4]
    assert best_quarter(list(range(24))) == [23, 22, 21, 20, 19, 18]
