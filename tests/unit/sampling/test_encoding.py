"""What a model sees of a point."""

from __future__ import annotations

import itertools

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

from mbnas.sampling.encoding import Encoding, Unit
from mbnas.sampling.points import Points

Array = NDArray[np.float64]
FACTORS = {"width": [1.0, 1.5, 2.0, 4.0], "block": [1.0, 1.3, 3.0], "kernel": [1.0, 1.1]}
"""How the cost hangs on each option."""
ALL = list(itertools.product(*(range(len(options)) for options in FACTORS.values())))
permutations = st.tuples(*(st.permutations(range(len(o))) for o in FACTORS.values()))


def cost(options: tuple[int, ...]) -> float:
    factors = zip(FACTORS.values(), options, strict=True)
    return float(np.log(np.prod([own[option] for own, option in factors])))


def features(order: tuple[list[int], ...], numbered: bool) -> Array:
    """All points in one order, of a space whose lists stand in another."""
    space = {
        name: CategoricalDistribution(
            [10 * place if numbered else f"{7 - place} {name}" for place in range(len(own))]
        )
        for name, own in zip(FACTORS, order, strict=True)
    }
    rows = np.array(
        [[own.index(option) for own, option in zip(order, options, strict=True)] for options in ALL]
    ).astype(float)
    return Encoding(Points(space), rows, np.array([cost(options) for options in ALL]))(rows)


@given(permutations, st.booleans())
def test_neither_labels_nor_their_order_matter(
    order: tuple[list[int], ...], numbered: bool
) -> None:
    plain = features(tuple(list(range(len(own))) for own in FACTORS.values()), True)
    np.testing.assert_allclose(features(order, numbered), plain)


def test_options_stand_in_the_order_of_their_cost() -> None:
    plain = features(([3, 0, 2, 1], [1, 0, 2], [0, 1]), False)
    by_option = dict(zip(ALL, plain[:, 0], strict=True))
    assert [by_option[option, 0, 0] for option in range(4)] == [0.0, 1 / 3, 2 / 3, 1.0]
    # The cheapest one is often an absence, which a feature of its own tells.
    absent = dict(zip(ALL, plain[:, 1], strict=True))
    assert [absent[option, 0, 0] for option in range(4)] == [0.0, 0.5, 0.5, 0.5]


def test_options_without_effect_on_the_cost_are_equally_far_apart() -> None:
    space = {"width": CategoricalDistribution((1, 2)), "name": CategoricalDistribution("abc")}
    rows = np.array([*itertools.product(range(2), range(3))], dtype=float)
    encoded = Encoding(Points(space), rows, np.log(1 + rows[:, 0]))(rows)
    first = encoded[:3]
    apart = {round(np.abs(a - b).sum(), 9) for a, b in itertools.combinations(first, 2)}
    assert apart == {1.0}


def test_without_a_cost_only_numbers_have_an_order() -> None:
    points = Points({"n": CategoricalDistribution((1, 2, 4)), "s": CategoricalDistribution("abc")})
    rows = np.array([[0, 0], [1, 0], [2, 0], [0, 1], [0, 2]], dtype=float)
    encoded = Encoding(points, rows, None)(rows)
    numbers, words = encoded[[0, 1, 2]], encoded[[0, 3, 4]]
    assert np.abs(numbers[2] - numbers[0]).sum() > np.abs(numbers[1] - numbers[0]).sum()
    assert np.abs(words[2] - words[0]).sum() == np.abs(words[1] - words[0]).sum()


def test_ranges_are_seen_as_they_are() -> None:
    points = Points({"x": FloatDistribution(1e-5, 1, log=True), "n": IntDistribution(0, 999)})
    rows = points.uniform(np.random.default_rng(0), 6)
    np.testing.assert_array_equal(Encoding(points, rows, rows[:, 0])(rows), rows)


def test_what_else_is_known_stands_beside() -> None:
    points = Points({"x": FloatDistribution(0, 1)})
    rows = np.array([[0.1], [0.2]])
    encoded = Encoding(points, rows, None)(rows, [np.array([5.0, 6.0])])
    assert encoded.tolist() == [[5.0, 0.1], [6.0, 0.2]]


def test_a_space_of_one_point_has_a_feature() -> None:
    points = Points({"x": CategoricalDistribution([1])})
    assert Encoding(points, np.zeros((2, 1)), np.zeros(2))(np.zeros((3, 1))).shape == (3, 1)


def test_units_are_about_a_unit_interval() -> None:
    logs = np.random.default_rng(0).normal(7.0, 3.0, 500)
    in_units = Unit(logs)(logs)
    np.testing.assert_allclose([in_units.mean(), in_units.std()], [0, 0.5], atol=1e-9)
    assert Unit(np.full(4, 2.0))(np.array([2.0, 3.0])).tolist() == [0.0, 1.0]
