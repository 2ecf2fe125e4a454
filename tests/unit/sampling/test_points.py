"""Points as rows of numbers, and moves between them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)

from mbnas.sampling.points import MOST_LEVELS, Axis, Points

Space = dict[str, BaseDistribution]

quarters = st.integers(-400, 400).map(lambda number: number / 4)
categorical = st.lists(
    st.one_of(st.integers(-9, 9), st.text("abc", max_size=3), st.none()),
    min_size=1,
    max_size=5,
    unique=True,
).map(CategoricalDistribution)
int_stepped = st.builds(
    lambda low, step, count: IntDistribution(low, low + step * count, step=step),
    st.integers(-50, 50),
    st.integers(1, 7),
    st.integers(0, 60),
)
int_log = st.builds(
    lambda low, span: IntDistribution(low, low + span, log=True),
    st.integers(1, 50),
    st.integers(0, 3000),
)
# Steps of quarters: Optuna warns of ranges that are no multiple of the step.
float_stepped = st.builds(
    lambda low, step, count: FloatDistribution(low, low + step / 4 * count, step=step / 4),
    quarters,
    st.integers(1, 9),
    st.integers(0, 60),
)
float_range = st.builds(
    lambda low, span: FloatDistribution(low, low + span), quarters, st.floats(0, 100)
)
float_log = st.builds(
    lambda low, factor: FloatDistribution(low, low * factor, log=True),
    st.floats(1e-7, 10),
    st.floats(1, 1e6),
)
distributions = st.one_of(categorical, int_stepped, int_log, float_stepped, float_range, float_log)
spaces = st.lists(distributions, min_size=1, max_size=5).map(
    lambda found: {f"p{at}": distribution for at, distribution in enumerate(found)}
)
seeds = st.integers(0, 2**32 - 1)


def assert_in(space: Space, point: Mapping[str, Any]) -> None:
    for name, distribution in space.items():
        assert distribution._contains(distribution.to_internal_repr(point[name]))
        if isinstance(distribution, IntDistribution):
            assert type(point[name]) is int
        if isinstance(distribution, FloatDistribution):
            assert type(point[name]) is float


@given(spaces, seeds)
def test_what_is_drawn_lies_in_the_space_and_comes_back(space: Space, seed: int) -> None:
    points = Points(space)
    for row in points.uniform(np.random.default_rng(seed), 5):
        point = points.params(row)
        assert_in(space, point)
        again = points.params(points.row(point))
        assert_in(space, again)
        for name, value in point.items():
            near = isinstance(value, float) and space[name].step is None  # type: ignore[attr-defined]
            assert again[name] == (pytest.approx(value, rel=1e-9, abs=1e-9) if near else value)


@given(spaces, seeds)
def test_a_row_comes_back_but_for_what_is_rounded(space: Space, seed: int) -> None:
    points = Points(space)
    for row in points.uniform(np.random.default_rng(seed), 3):
        rounded = points.row(points.params(row))
        np.testing.assert_allclose(points.row(points.params(rounded)), rounded, atol=1e-9)
        options = [at for at, axis in enumerate(points.axes) if axis.levels]
        assert rounded[options].tolist() == row[options].tolist()


@pytest.mark.parametrize(
    "distribution",
    [
        IntDistribution(-3, 9, step=4),
        IntDistribution(1, 12, log=True),
        FloatDistribution(0.1, 0.3, step=0.1),  # 0.1 + 2 × 0.1 lies above 0.3
        FloatDistribution(-10.2, 10.2, step=0.1),
        CategoricalDistribution((2, 2.5, "a", None)),
    ],
    ids=str,
)
def test_every_value_has_a_place_of_its_own(distribution: BaseDistribution) -> None:
    axis = Axis(distribution)
    rng = np.random.default_rng(0)
    values = axis.levels or sorted({axis.value(place) for place in axis.draw(rng, 9999)})
    places = [axis.index(value) for value in values]
    assert len(set(places)) == len(values)
    for value, place in zip(values, places, strict=True):
        assert distribution._contains(distribution.to_internal_repr(value))
        assert axis.value(place) == value


def test_a_stepped_number_with_many_values_is_a_range() -> None:
    assert len(Axis(IntDistribution(1, MOST_LEVELS)).levels) == MOST_LEVELS
    many = Axis(IntDistribution(0, MOST_LEVELS))
    assert many.levels == ()
    assert {many.value(place) for place in np.linspace(0, 1, 999)} == set(range(MOST_LEVELS + 1))


def test_a_place_beyond_a_range_is_its_end() -> None:
    assert Axis(FloatDistribution(2.0, 3.0)).value(1.7) == 3.0
    assert Axis(IntDistribution(1, 1000, log=True)).value(-0.2) == 1


def test_a_foreign_distribution_is_refused() -> None:
    with pytest.raises(TypeError, match="str: no distribution"):
        Axis("uniform")  # type: ignore[arg-type]


@given(spaces, seeds)
def test_neighbours_differ_in_one_parameter(space: Space, seed: int) -> None:
    points = Points(space)
    (row,) = points.uniform(np.random.default_rng(seed), 1)
    neighbours = points.neighbours(row)
    assert neighbours.shape[1] == len(space)
    assert np.all(np.sum(neighbours != row, axis=1) == 1)
    assert len(np.unique(neighbours, axis=0)) == len(neighbours)
    point = points.params(row)
    for neighbour in map(points.params, neighbours):
        assert_in(space, neighbour)
        assert sum(neighbour[name] != point[name] for name in space) <= 1


def test_every_other_option_is_a_neighbour() -> None:
    space = {"a": CategoricalDistribution("xyz"), "b": IntDistribution(0, 6, step=2)}
    points = Points(space)
    found = [points.params(row) for row in points.neighbours(points.row({"a": "y", "b": 4}))]
    assert found == [
        {"a": "x", "b": 4},
        {"a": "z", "b": 4},
        {"a": "y", "b": 0},
        {"a": "y", "b": 2},
        {"a": "y", "b": 6},
    ]


def test_a_point_without_alternatives_has_no_neighbours() -> None:
    points = Points({"a": CategoricalDistribution([1]), "b": FloatDistribution(2.0, 2.0)})
    assert points.neighbours(points.row({"a": 1, "b": 2.0})).shape == (0, 2)


@given(spaces, seeds, st.integers(1, 7))
def test_changed_points_stay_in_the_space_and_keep_most(
    space: Space, seed: int, changes: int
) -> None:
    points = Points(space)
    rng = np.random.default_rng(seed)
    rows = points.uniform(rng, 8)
    changed = points.changed(rng, rows, changes)
    assert np.all(np.sum(changed != rows, axis=1) <= changes)
    for row in changed:
        assert_in(space, points.params(row))


@given(spaces, seeds)
def test_children_have_each_parameter_from_a_parent(space: Space, seed: int) -> None:
    points = Points(space)
    rng = np.random.default_rng(seed)
    rows = points.uniform(rng, 3)
    children = points.crossed(rng, rows, 10)
    assert children.shape == (10, len(space))
    for at in range(len(space)):
        assert set(children[:, at]) <= set(rows[:, at])
    for row in children:
        assert_in(space, points.params(row))


def test_a_range_too_narrow_for_its_logarithms_is_a_range() -> None:
    low = 3.7
    high = float(np.nextafter(low, 4))
    axis = Axis(FloatDistribution(low, high, log=True))
    for value in (low, high):
        assert axis.value(axis.index(value)) == pytest.approx(value)
