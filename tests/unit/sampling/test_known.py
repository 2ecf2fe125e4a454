"""What is known before anything is evaluated, and how measurements correct it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from numpy.typing import NDArray

from mbnas.sampling import known
from mbnas.sampling.known import (
    FEW_PAIRS,
    USUAL_ERROR,
    Correction,
    Params,
    Remembered,
    chance_within,
    point_key,
)

Array = NDArray[np.float64]


class Squares:
    """Squares of x, and of which x they were asked."""

    def __init__(self) -> None:
        self.asked: list[int] = []

    def __call__(self, points: Sequence[Params]) -> list[int]:
        self.asked += [point["x"] for point in points]
        return [point["x"] ** 2 for point in points]


def xs(*numbers: int) -> list[Params]:
    return [{"x": number} for number in numbers]


def test_each_value_is_worked_out_once() -> None:
    squares = Squares()
    remembered = Remembered(squares)
    assert remembered(xs(3, 1, 3)) == [9, 1, 9]
    assert remembered(xs(1, 2, 3)) == [1, 4, 9]
    assert remembered([]) == []
    assert squares.asked == [3, 1, 2]


def test_no_more_is_remembered_than_there_is_room_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(known, "MOST_REMEMBERED", 10)
    squares = Squares()
    remembered = Remembered(squares)
    for number in range(100):
        assert remembered(xs(number, number + 1)) == [number**2, (number + 1) ** 2]
        assert len(remembered._values) <= 10
    assert len(squares.asked) < 130  # what is asked for again and again stays


def test_one_more_makes_it_forget_no_more_than_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(known, "MOST_REMEMBERED", 10)
    squares = Squares()
    remembered = Remembered(squares)
    remembered(xs(*range(10)))
    remembered(xs(99))
    assert remembered(xs(*range(10)))[0] == 0
    assert squares.asked == [*range(10), 99, 0]


def test_more_than_there_is_room_for_may_be_asked_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(known, "MOST_REMEMBERED", 10)
    remembered = Remembered(Squares())
    remembered(xs(*range(8)))
    assert remembered(xs(*range(30))) == [number**2 for number in range(30)]
    remembered(xs(99))
    assert len(remembered._values) <= 10


def test_a_point_is_its_values_in_whatever_order() -> None:
    assert point_key({"a": 1, "b": 2}) == point_key({"b": 2, "a": 1})
    assert point_key({"a": 1, "b": 2}) != point_key({"a": 2, "b": 1})


def quantities(count: int, seed: int = 0) -> tuple[Array, Array]:
    """Features of some points, and a quantity that hangs on them."""
    features = np.random.default_rng(seed).random((count, 3))
    return features, np.exp(features @ [1.0, 2.0, 0.5])


@pytest.mark.parametrize("count", [1, FEW_PAIRS, 20])
def test_what_is_exact_stays_as_it_is(count: int) -> None:
    features, values = quantities(count)
    shift, error = Correction(features, values, values)(quantities(7, seed=1)[0])
    assert shift.tolist() == error.tolist() == [0.0] * 7


@pytest.mark.parametrize("count", [1, 2, FEW_PAIRS, 20])
def test_a_factor_of_two_is_learned(count: int) -> None:
    features, values = quantities(count)
    noise = np.exp(0.01 * np.random.default_rng(1).standard_normal(count))
    shift, error = Correction(features, values, 2 * values * noise)(quantities(7, seed=1)[0])
    np.testing.assert_allclose(shift, np.log(2), atol=0.05)
    assert np.all(error > 0)
    if count == 20:
        assert np.all(error < 0.05)


def test_a_factor_of_exactly_two_is_learned() -> None:
    features, values = quantities(10)
    shift, _ = Correction(features, values, 2 * values)(features)
    np.testing.assert_allclose(shift, np.log(2), rtol=1e-6)


def test_an_error_that_hangs_on_a_feature_is_learned() -> None:
    features, values = quantities(40)
    measured = values * np.exp(0.5 * features[:, 0])
    new, _ = quantities(7, seed=1)
    shift, _ = Correction(features, values, measured)(new)
    np.testing.assert_allclose(shift, 0.5 * new[:, 0], atol=0.02)


def test_without_measured_values_an_estimate_has_the_usual_error() -> None:
    features, values = quantities(4)
    unusable = np.array([np.nan, 0.0, -1.0, np.inf])
    for correction in (
        Correction(features[:0], values[:0], values[:0]),
        Correction(features, values, unusable),
    ):
        shift, error = correction(features)
        assert shift.tolist() == [0.0] * 4
        assert error.tolist() == [USUAL_ERROR] * 4


def test_nothing_is_corrected_of_nothing() -> None:
    features, values = quantities(10)
    shift, error = Correction(features, values, 2 * values)(features[:0])
    assert len(shift) == len(error) == 0


def test_the_chance_to_keep_a_limit() -> None:
    logs = np.log([1.0, 2.0, 4.0])
    assert chance_within(logs, np.zeros(3), 2.0).round(6).tolist()[::2] == [1.0, 0.0]
    assert chance_within(logs, np.zeros(3), 2.0)[1] > 0.8  # at the limit is within
    assert chance_within(logs, np.full(3, 0.5), 2.0)[1] == pytest.approx(0.5)
    assert np.all(np.diff(chance_within(logs, np.full(3, 0.5), 2.0)) < 0)
    assert chance_within(logs, np.ones(3), 0.0).tolist() == [0.0] * 3
