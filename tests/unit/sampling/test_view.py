"""What is known of a search space before anything is evaluated."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from optuna.distributions import BaseDistribution, CategoricalDistribution, IntDistribution

from mbnas.sampling.known import Known, Params
from mbnas.sampling.points import Points
from mbnas.sampling.view import SAMPLE, View

SPACE: dict[str, BaseDistribution] = {
    "width": CategoricalDistribution((8, 16, 24, 32)),
    "depth": IntDistribution(1, 4),
    "kernel": CategoricalDistribution((3, 5, 7)),
}


def macs(points: Sequence[Params]) -> list[float]:
    return [float(p["width"] ** 2 * p["depth"] * p["kernel"] ** 2) for p in points]


def size(points: Sequence[Params]) -> list[float]:
    return [float(p["width"] * p["depth"]) for p in points]


def test_estimates_are_near_what_is_worked_out() -> None:
    points = Points(SPACE)
    view = View(points, [Known(macs, 1), Known(size)])
    rows = points.uniform(np.random.default_rng(5), 40)
    exact, rough = view.exact(rows), view.rough(rows)
    np.testing.assert_allclose(np.exp(exact.logs[:, 0]), macs([points.params(r) for r in rows]))
    assert not exact.errors.any()
    np.testing.assert_allclose(rough.logs, exact.logs, atol=0.05)
    np.testing.assert_allclose(rough.features, exact.features, atol=0.05)
    assert np.all(rough.errors > 0)


def test_candidates_are_estimated_without_working_them_out() -> None:
    asked = []

    def counted(points: Sequence[Params]) -> list[float]:
        asked.append(len(points))
        return macs(points)

    points = Points(SPACE)
    view = View(points, [Known(counted, 0)])
    view.rough(points.uniform(np.random.default_rng(0), 500))
    assert asked == [SAMPLE]


def test_the_first_cost_is_the_first_that_is_an_objective() -> None:
    points = Points(SPACE)
    rows = points.uniform(np.random.default_rng(5), 10)
    cost = View(points, [Known(size), Known(macs, 1)]).first_cost(rows)
    assert cost is not None
    np.testing.assert_allclose(cost, np.log(macs([points.params(row) for row in rows])), atol=0.05)
    assert View(points, [Known(size)]).first_cost(rows) is None


def test_nothing_known_is_a_view_too() -> None:
    points = Points(SPACE)
    rows = points.uniform(np.random.default_rng(5), 10)
    view = View(points, [])
    assert view.exact(rows).logs.shape == view.rough(rows).logs.shape == (10, 0)
    np.testing.assert_array_equal(view.exact(rows).features, view.plain(rows))
