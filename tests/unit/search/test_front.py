"""The front, its hypervolume and its knee, against their definitions."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pytest
from helpers import some_architectures, tiny_space
from hypothesis import given
from hypothesis import strategies as st

from mbnas.errors import StudyError
from mbnas.network import costs
from mbnas.search import Goals, Limit, Trial, front, hypervolume, knee, maximize, minimize
from mbnas.search.front import near_front, points
from mbnas.testing import FakeLatencyMeter

GOALS = Goals.of([maximize("accuracy"), minimize("latency_ms")])
(ARCHITECTURE,) = some_architectures(tiny_space(), 1)
(LATENCY,) = FakeLatencyMeter().measure([ARCHITECTURE], 10)

pairs = st.tuples(
    st.floats(0, 1, allow_subnormal=False).map(lambda x: round(x, 3)),
    st.floats(0.01, 10).map(lambda x: round(x, 3)),
)


def trial(number: int, accuracy: float | None, latency_ms: float) -> Trial:
    return Trial(
        number=number,
        params={},
        architecture=ARCHITECTURE,
        status="untrained" if accuracy is None else "trained",
        accuracy=accuracy,
        latency=replace(
            LATENCY, latency_ms=latency_ms, low_ms=0.99 * latency_ms, high_ms=1.01 * latency_ms
        ),
        costs=costs(ARCHITECTURE.lower()),
    )


def trials(values: list[tuple[float, float]]) -> list[Trial]:
    return [trial(number, *value) for number, value in enumerate(values)]


@given(st.lists(pairs, max_size=30))
def test_the_front_is_what_no_other_dominates(values: list[tuple[float, float]]) -> None:
    members = front(trials(values), GOALS)
    kept = points(members, GOALS)
    undominated = {
        (accuracy, cost)
        for accuracy, cost in values
        if not any(a >= accuracy and c <= cost and (a, c) != (accuracy, cost) for a, c in values)
    }
    # A network that is never right is as good as none at any cost below the others.
    assert set(kept) == undominated
    assert len(kept) == len(undominated)
    assert [cost for _, cost in kept] == sorted(cost for _, cost in kept)


@given(st.lists(pairs, max_size=15), st.randoms())
def test_hypervolume_is_the_dominated_area(
    values: list[tuple[float, float]], random: object
) -> None:
    floor, ceiling = 0.1, 5.0
    grid_accuracy = np.unique([floor, 1.0, *(np.clip([a for a, _ in values], floor, 1))])
    grid_cost = np.unique([0.0, ceiling, *(np.clip([c for _, c in values], 0, ceiling))])
    area = 0.0
    for low, high in itertools.pairwise(grid_accuracy):
        for left, right in itertools.pairwise(grid_cost):
            if any(a >= high and c <= left for a, c in values):
                area += (high - low) * (right - left)
    assert hypervolume(values, (floor, ceiling)) == pytest.approx(area)


@given(st.lists(pairs, min_size=1, max_size=15), pairs)
def test_hypervolume_never_shrinks_with_another_point(
    values: list[tuple[float, float]], another: tuple[float, float]
) -> None:
    reference = (0.0, 10.0)
    assert hypervolume([*values, another], reference) >= hypervolume(values, reference) - 1e-12


def test_the_knee_is_farthest_from_the_line_between_the_ends() -> None:
    members = front(trials([(0.5, 1.0), (0.88, 2.0), (0.9, 6.0), (0.91, 11.0)]), GOALS)
    assert knee(members, GOALS).number == 1
    assert knee(members[:2], GOALS).number == 1
    assert knee(members[:1], GOALS).number == 0
    hollow = front(trials([(0.3, 1.0), (0.59, 2.0), (0.9, 3.0)]), GOALS)
    assert knee(hollow, GOALS).number == 2, "none lies above the line: the most accurate"
    with pytest.raises(StudyError, match="front is empty"):
        knee([], GOALS)


@given(st.lists(pairs, max_size=30), st.integers(0, 30))
def test_near_the_front_lies_what_is_least_below_it(
    values: list[tuple[float, float]], most: int
) -> None:
    every = trials(values)
    members = front(every, GOALS)

    def gap(one: Trial) -> float:
        accuracy, cost = values[one.number]
        return max(a for a, c in points(members, GOALS) if c <= cost) - accuracy

    found = near_front(every, GOALS, most)
    others = [one for one in every if one not in members]
    assert len(found) == min(most, len(others))
    assert not any(one in members for one in found)
    assert [gap(one) for one in found] == sorted(gap(one) for one in others)[: len(found)]


def test_limits_and_untrained_trials_stay_off_the_front() -> None:
    limited = Goals.of([maximize("accuracy"), minimize("latency_ms", limit=2.0)])
    # The last but one may take 2 ms and a little more.
    all_trials = [trial(0, 0.9, 3.0), trial(1, 0.8, 1.5), trial(2, None, 0.5), trial(3, 0.85, 1.99)]
    assert [member.number for member in front(all_trials, limited)] == [1]
    assert [member.number for member in front(all_trials, GOALS)] == [1, 3, 0]


def test_a_limit_on_another_cost_counts_too() -> None:
    few = Goals.of([maximize("accuracy"), minimize("latency_ms")], [Limit("params", 1)])
    assert front([trial(0, 0.9, 1.0)], few) == []


def test_trials_survive_their_record() -> None:
    one = trial(3, 0.75, 1.25)
    assert Trial.from_record(one.to_record(), "here") == one
