"""A front against baselines, by hand."""

from __future__ import annotations

import numpy as np
import pytest

from mbnas.analysis.uncertainty import DRAWS, Draws, Interval
from mbnas.analysis.versus import Standing, versus
from mbnas.report.contest_words import against_said, hypervolume_said, points

FRONT = [Standing("small", 0.7, 1.0), Standing("large", 0.9, 4.0)]
REFERENCE = (0.1, 10.0)


def sure(standings: list[Standing]) -> Draws:
    """What nothing varies in."""
    return Draws(
        np.tile([one.accuracy for one in standings], (DRAWS, 1)),
        np.tile([one.cost for one in standings], (DRAWS, 1)),
    )


def test_at_equal_cost_and_at_equal_accuracy() -> None:
    baseline = Standing("net", 0.65, 5.0)
    found = versus(FRONT, [baseline], sure([*FRONT, baseline]), REFERENCE)
    (one,) = found.against
    assert one.gained_by == "large"
    assert one.gain == Interval(*[pytest.approx(0.25)] * 3)
    assert one.reached_by == "small"
    assert one.ratio == Interval(5.0, 5.0, 5.0)
    assert found.hypervolume == pytest.approx(0.6 * 9 + 0.2 * 6)
    assert found.baselines_hypervolume == pytest.approx(0.55 * 5)
    assert found.difference.value == pytest.approx(6.6 - 2.75)
    assert against_said(one, "latency_ms") == (
        "at the latency of net, large is 25.0 points (95 % 25.0 to 25.0) more accurate; at its"
        " accuracy, small is 5.00 (95 % 5.00 to 5.00) times as fast"
    )
    assert hypervolume_said(found).startswith("the area that the front dominates is 140.0% larger")


def test_a_baseline_beyond_the_front() -> None:
    cheap, good = Standing("cheap", 0.3, 0.5), Standing("good", 0.95, 20.0)
    found = versus(FRONT, [cheap, good], sure([*FRONT, cheap, good]), REFERENCE)
    first, second = found.against
    assert first.gain is None
    assert first.ratio == Interval(0.5, 0.5, 0.5)
    assert second.ratio is None
    assert second.gain == Interval(*[pytest.approx(-0.05)] * 3)
    assert found.reference == (0.1, 20.0), "no area is cut off"
    assert "nothing of the front has so small a latency as cheap" in against_said(
        first, "latency_ms"
    )
    assert "nothing of the front is as accurate" in against_said(second, "latency_ms")


def test_where_accuracies_vary_the_partner_does_too() -> None:
    baseline = Standing("net", 0.7, 5.0)
    every = [*FRONT, baseline]
    draws = sure(every)
    draws.accuracy[::2, 0] = 0.6  # in every other draw the small one is not accurate enough
    (one,) = versus(FRONT, [baseline], draws, REFERENCE).against
    assert one.ratio == Interval(5.0, 1.25, 5.0)


def test_no_gain_in_some_draws_is_a_gain_all_the_same() -> None:
    assert points(Interval(0.01, 0.0, 0.02)) == "1.0 points (95 % 0.0 to 2.0)"
    assert "in some draws there is none" in points(Interval(0.01, -np.inf, 0.02))


def test_a_difference_that_is_not_sure_is_said_so() -> None:
    baseline = Standing("net", 0.9, 3.9)
    draws = sure([*FRONT, baseline])
    draws.accuracy[::2, 2] = 0.95
    draws.accuracy[1::2, 2] = 0.1
    found = versus(FRONT, [baseline], draws, REFERENCE)
    assert found.difference.low < found.difference.high
    draws.accuracy[::2, :2] = 0.2
    unsure = versus(FRONT, [baseline], draws, REFERENCE)
    assert "not surely different" in hypervolume_said(unsure)
