"""Gains in hypervolume, against their definition."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.stats import spearmanr

from mbnas.sampling.gain import mean_gain, nondominated, normal_samples
from mbnas.search import hypervolume

Array = NDArray[np.float64]
FLOOR, CEILING = 0.1, 5.0
REFERENCE = np.array([-FLOOR, CEILING])

# Rounded, so that equal values come up.
accuracies = st.integers(0, 100).map(lambda number: number / 100)
latencies = st.integers(1, 80).map(lambda number: number / 10)
pairs = st.tuples(accuracies, latencies)
losses_of_three = st.lists(st.tuples(*[st.integers(0, 4)] * 3), max_size=20)


def losses(values: list[tuple[float, float]]) -> Array:
    return np.array([(-accuracy, cost) for accuracy, cost in values]).reshape(-1, 2)


def staircase(values: list[tuple[float, float]]) -> Array:
    some = losses(values)
    return some[nondominated(some)]


@given(st.lists(pairs, max_size=12), st.lists(pairs, min_size=1, max_size=6))
def test_the_gain_of_two_objectives_is_the_hypervolume_added(
    known: list[tuple[float, float]], new: list[tuple[float, float]]
) -> None:
    gains = mean_gain(losses(new)[None], staircase(known), REFERENCE)
    before = hypervolume(known, (FLOOR, CEILING))
    added = [hypervolume([*known, point], (FLOOR, CEILING)) - before for point in new]
    np.testing.assert_allclose(gains, added, atol=1e-12)


@given(st.lists(pairs, max_size=12), st.lists(pairs, min_size=1, max_size=6))
def test_the_gain_is_a_mean_over_samples(
    known: list[tuple[float, float]], possible: list[tuple[float, float]]
) -> None:
    front = staircase(known)
    alone = mean_gain(losses(possible)[None], front, REFERENCE)
    together = mean_gain(losses(possible)[:, None, :], front, REFERENCE)
    assert together == pytest.approx([alone.mean()])


@given(st.lists(pairs, min_size=1, max_size=12), st.data())
def test_what_is_dominated_or_beyond_the_reference_gains_nothing(
    known: list[tuple[float, float]], data: st.DataObject
) -> None:
    accuracy, cost = data.draw(st.sampled_from(known))
    no_better = [(accuracy, cost), (accuracy - 0.05, cost), (accuracy, cost + 0.1)]
    beyond = [(FLOOR, 0.1), (FLOOR - 0.1, 0.1), (0.99, CEILING), (1.0, CEILING + 1)]
    gains = mean_gain(losses([*no_better, *beyond])[None], staircase(known), REFERENCE)
    assert gains.tolist() == [0.0] * len(gains)


def test_one_objective_gains_what_is_below_the_best() -> None:
    samples = np.array([[[3.0], [1.0], [7.0]], [[1.5], [1.0], [9.0]]])
    front = np.array([[2.0]])
    assert mean_gain(samples, front, np.array([6.0])).tolist() == [0.25, 1.0, 0.0]
    nothing = np.empty((0, 1))
    assert mean_gain(samples, nothing, np.array([6.0])).tolist() == [3.75, 5.0, 0.0]


def some_of_three(seed: int) -> tuple[Array, Array]:
    """A front and some points, in the unit cube."""
    rng = np.random.default_rng(seed)
    cloud = rng.uniform(0.3, 1.0, (40, 3))
    return cloud[nondominated(cloud)], rng.uniform(0.05, 1.0, (60, 3))


@pytest.mark.parametrize("seed", range(3))
def test_the_order_of_gains_of_three_objectives_is_the_hypervolumes(seed: int) -> None:
    front, some = some_of_three(seed)
    dots = np.random.default_rng(99).random((20_000, 3))
    free = dots[~np.any(np.all(front[:, None] <= dots, axis=2), axis=0)]
    volumes = np.array([np.sum(np.all(point <= free, axis=1)) / len(dots) for point in some])
    gains = mean_gain(some[None], front, np.ones(3))
    assert spearmanr(gains, volumes).statistic > 0.95
    assert volumes[np.argmax(gains)] > 0.8 * volumes.max()


@pytest.mark.parametrize("seed", range(3))
def test_of_three_objectives_too_the_dominated_gain_nothing(seed: int) -> None:
    front, _ = some_of_three(seed)
    worse = np.concatenate([front, front + 0.01, front + np.array([0.0, 0.0, 0.2])])
    assert not mean_gain(worse[None], front, np.ones(3)).any()
    beyond = np.array([[0.0, 0.0, 1.0], [1.1, 0.0, 0.0]])
    assert not mean_gain(beyond[None], front, np.ones(3)).any()
    assert mean_gain(np.zeros((1, 1, 3)), front, np.ones(3))[0] > 0


def test_more_is_gained_while_there_is_no_front() -> None:
    front, some = some_of_three(0)
    without = mean_gain(some[None], np.empty((0, 3)), np.ones(3))
    assert np.all(without >= mean_gain(some[None], front, np.ones(3)))
    assert np.all(without > 0)


@pytest.mark.parametrize("objective", range(3))
@pytest.mark.parametrize("members", [0, None])
def test_the_units_of_three_objectives_do_not_matter(objective: int, members: int | None) -> None:
    front, some = some_of_three(0)
    front, unit, reference = front[:members], np.ones(3), np.ones(3)
    unit[objective] = 1e6
    gains = mean_gain(some[None], front, reference)
    scaled = mean_gain(some[None] * unit, front * unit, reference * unit)
    np.testing.assert_allclose(scaled / 1e6, gains, rtol=1e-9, atol=1e-12)
    assert gains.any()


@given(losses_of_three)
def test_the_front_is_what_no_other_dominates_each_once(rows: list[tuple[int, int, int]]) -> None:
    some = np.array(rows, dtype=float).reshape(-1, 3)
    members = [rows[at] for at in nondominated(some)]
    undominated = {
        row
        for row in rows
        if not any(
            all(o <= r for o, r in zip(other, row, strict=True)) for other in {*rows} - {row}
        )
    }
    assert set(members) == undominated
    assert len(members) == len(undominated)


@given(losses_of_three)
def test_a_front_is_its_own_front(rows: list[tuple[int, int, int]]) -> None:
    some = np.array(rows, dtype=float).reshape(-1, 3)
    front = some[nondominated(some)]
    assert sorted(nondominated(front)) == list(range(len(front)))


def test_normal_samples_are_spread_evenly() -> None:
    samples = normal_samples(np.random.default_rng(0), 64, 3)
    assert samples.shape == (64, 3)
    # Of each quantity the same numbers, in an order of its own.
    np.testing.assert_array_equal(np.sort(samples[:, 0]), np.sort(samples[:, 1]))
    assert not np.array_equal(samples[:, 0], samples[:, 1])
    np.testing.assert_allclose(samples.mean(axis=0), 0, atol=1e-12)
    np.testing.assert_allclose(samples.std(axis=0), 1, atol=0.05)
