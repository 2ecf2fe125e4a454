"""A front against baselines, by hand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from mbnas.analysis.uncertainty import DRAWS, Draws, Interval
from mbnas.analysis.versus import Standing, mean_gain, versus
from mbnas.report.contest_words import against_said, totals_said

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
    assert one.margin == Interval(*[pytest.approx(0.05)] * 3)
    assert found.hypervolume == pytest.approx(0.6 * 9 + 0.2 * 6)
    assert found.baselines_hypervolume == pytest.approx(0.55 * 5)
    assert found.difference.value == pytest.approx(6.6 - 2.75)
    assert against_said(one, "latency_ms") == (
        "at the latency of net, large is 25.0 points (95 % 25.0 to 25.0) more accurate; at its"
        " accuracy, small is 5.00 (95 % 5.00 to 5.00) times as fast (accuracy +5.0 points, 95 %"
        " +5.0 to +5.0)"
    )
    assert totals_said(found, "latency_ms") == [
        "from 5.00\u00a0ms to 5.00\u00a0ms, the front is 25.0 points more accurate than the"
        " baselines at equal latency, on average",
        "the area that the front dominates, up to 10.0\u00a0ms and from 10.00%, is 140.0% larger"
        " than that of the baselines",
    ], "no interval: it was chosen by what it is judged by"


def test_a_baseline_beyond_the_front() -> None:
    cheap, good = Standing("cheap", 0.3, 0.5), Standing("good", 0.95, 20.0)
    found = versus(FRONT, [cheap, good], sure([*FRONT, cheap, good]), REFERENCE)
    first, second = found.against
    assert first.gain is None
    assert first.ratio == Interval(0.5, 0.5, 0.5)
    assert not second.is_reached
    assert (second.reached_by, second.ratio) == ("large", Interval(5.0, 5.0, 5.0))
    assert second.margin == second.gain
    assert second.gain == Interval(*[pytest.approx(-0.05)] * 3)
    assert found.reference == (0.1, 20.0), "no area is cut off"
    assert "nothing of the front has so small a latency as cheap" in against_said(
        first, "latency_ms"
    )
    assert (
        "nothing of the front is as accurate, and its most accurate, large, is 5.00"
        in against_said(second, "latency_ms")
    )


def test_who_is_held_against_whom_is_chosen_by_another_accuracy() -> None:
    front = [
        Standing("small", 0.8, 1.0, chosen_by=0.6),
        Standing("middling", 0.6, 2.0, chosen_by=0.7),
        Standing("large", 0.7, 4.0, chosen_by=0.8),
    ]
    baseline = Standing("net", 0.65, 5.0, chosen_by=0.65)
    (one,) = versus(front, [baseline], sure([*front, baseline]), REFERENCE).against
    assert (one.gained_by, one.reached_by) == ("large", "middling")
    assert one.gain == Interval(*[pytest.approx(0.05)] * 3)
    assert one.margin == Interval(*[pytest.approx(-0.05)] * 3), "not hidden"
    assert one.ratio == Interval(2.5, 2.5, 2.5)


def test_an_interval_holds_the_truth_as_often_as_it_says() -> None:
    """Networks of equal accuracy, chosen by one measurement and judged by another."""
    rng = np.random.default_rng(0)
    error, members, held = 0.01, 6, 0
    for _ in range(150):
        by, judged = (0.7 + error * rng.normal(size=members + 1) for _ in range(2))
        front = [Standing(str(at), judged[at], 1.0 + at, by[at]) for at in range(members)]
        baseline = Standing("net", judged[-1], 10.0, by[-1])
        drawn = judged + error * rng.normal(size=(200, members + 1))
        costs = np.tile([one.cost for one in (*front, baseline)], (len(drawn), 1))
        (one,) = versus(front, [baseline], Draws(drawn, costs), REFERENCE).against
        assert one.gain is not None
        held += one.gain.low <= 0 <= one.gain.high
    assert 0.91 <= held / 150 <= 0.99


def test_a_difference_that_is_not_sure_is_said_so() -> None:
    front = [replace(one, chosen_by=one.accuracy) for one in FRONT]
    baseline = Standing("net", 0.9, 3.9, chosen_by=0.9)
    draws = sure([*front, baseline])
    draws.accuracy[::2, 2] = 0.95
    draws.accuracy[1::2, 2] = 0.1
    found = versus(front, [baseline], draws, REFERENCE)
    assert found.difference.low < found.difference.high
    draws.accuracy[::2, :2] = 0.2
    unsure = versus(front, [baseline], draws, REFERENCE)
    gain, area = totals_said(unsure, "latency_ms")
    assert "not surely more or less accurate" in gain
    assert "not surely different" in area


def test_the_mean_gain_is_of_the_costs_that_both_have_and_of_no_reference() -> None:
    front = [(0.7, 1.0), (0.9, 4.0)]
    assert mean_gain(front, [(0.6, 2.0), (0.8, 5.0)]) == pytest.approx(
        ((0.7 - 0.6) * 2 + (0.9 - 0.6) * 1) / 3
    )
    assert mean_gain(front, [(0.6, 2.0), (0.8, 5.0), (0.1, 0.5)]) == pytest.approx(
        ((0.7 - 0.1) * 1 + (0.7 - 0.6) * 2 + (0.9 - 0.6) * 1) / 4
    )
    assert mean_gain(front, front) == 0
    assert mean_gain([(0.7, 1.0)], [(0.6, 1.0)]) == pytest.approx(0.1)
    small, large = (
        versus(
            [replace(one, chosen_by=one.accuracy) for one in FRONT],
            [Standing("net", 0.6, 2.0)],
            sure([*FRONT, Standing("net", 0.6, 2.0)]),
            (0.1, most),
        )
        for most in (5.0, 50.0)
    )
    assert small.mean_gain == large.mean_gain
    assert small.shared_costs == large.shared_costs == (2.0, 4.0)
    assert small.mean_gain.low == pytest.approx(small.mean_gain.value) == pytest.approx(0.1)
