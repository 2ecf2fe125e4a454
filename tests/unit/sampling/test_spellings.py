"""Points that are the same thing, written in one way."""

from __future__ import annotations

import itertools
from collections.abc import Hashable, Sequence

import numpy as np
from optuna.distributions import BaseDistribution, CategoricalDistribution

from mbnas.sampling.known import Known, Params, point_key
from mbnas.sampling.points import Points, Rows
from mbnas.sampling.spellings import Spellings
from mbnas.sampling.view import View

LAYERS = ("none", "small", "large")
SPACE: dict[str, BaseDistribution] = {
    **{f"layer{at}": CategoricalDistribution(LAYERS) for at in range(4)},
    "stem": CategoricalDistribution((8, 16)),
    "head": CategoricalDistribution((8, 16)),
}
POINTS = Points(SPACE)
EVERY: Rows = np.array(
    list(itertools.product(*(range(len(axis.levels)) for axis in POINTS.axes))), float
)


def networks(points: Sequence[Params]) -> list[Hashable]:
    """The first layer is always there; of the others, those that are absent leave no trace."""
    return [
        (
            p["stem"],
            p["head"],
            p["layer0"],
            tuple(p[f"layer{at}"] for at in (1, 2, 3) if p[f"layer{at}"] != "none"),
        )
        for p in points
    ]


def params(rows: Rows) -> list[Params]:
    return [POINTS.params(row) for row in rows]


def test_each_network_has_one_spelling_and_keeps_being_itself() -> None:
    spelled = Spellings(POINTS, networks)(EVERY)
    assert networks(params(spelled)) == networks(params(EVERY))
    distinct = {row.tobytes() for row in spelled}
    assert len(distinct) == len(set(networks(params(EVERY)))) < len(EVERY)


def test_what_is_spelled_is_spelled_the_same_again() -> None:
    spellings = Spellings(POINTS, networks)
    spelled = spellings(EVERY)
    np.testing.assert_array_equal(spellings(spelled), spelled)


def test_rows_are_left_as_they_were_given() -> None:
    before = EVERY.copy()
    Spellings(POINTS, networks)(EVERY)
    np.testing.assert_array_equal(EVERY, before)


def test_where_every_point_is_its_own_nothing_changes() -> None:
    spelled = Spellings(POINTS, lambda points: [point_key(point) for point in points])(EVERY)
    np.testing.assert_array_equal(spelled, EVERY)


def test_a_model_sees_two_spellings_alike() -> None:
    def size(points: Sequence[Params]) -> list[float]:
        weight = {"none": 1, "small": 2, "large": 5}
        return [float(sum(weight[p[f"layer{at}"]] for at in range(4)) * p["stem"]) for p in points]

    view = View(POINTS, [Known(size, 1)], networks)
    point = {"layer0": "small", "stem": 8, "head": 16}
    rows = np.array(
        [
            POINTS.row({**point, "layer1": "none", "layer2": "large", "layer3": "small"}),
            POINTS.row({**point, "layer1": "large", "layer2": "small", "layer3": "none"}),
            POINTS.row({**point, "layer1": "small", "layer2": "large", "layer3": "none"}),
        ]
    )
    one, same, other = view.exact(rows).features
    np.testing.assert_array_equal(one, same)
    assert not np.array_equal(one, other)
