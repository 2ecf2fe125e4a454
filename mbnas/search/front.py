"""The Pareto front, its hypervolume and its knee."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from mbnas.errors import StudyError
from mbnas.search.objectives import Goals, Limit
from mbnas.search.trial import Trial

Point = tuple[float, float]
"""(accuracy, cost): the first is to be large, the second small."""


def front(trials: Iterable[Trial], goals: Goals) -> list[Trial]:
    """Trained trials that no other dominates, limits respected, from cheap to costly."""
    candidates = [
        (cost, -accuracy, trial.number, trial)
        for trial in trials
        if trial.status == "trained" and broken_limit(trial, goals.limits) is None
        for accuracy, cost in points([trial], goals)
    ]
    members: list[Trial] = []
    best = -math.inf
    for _, negative, _, trial in sorted(candidates, key=lambda entry: entry[:3]):
        if -negative > best:
            members.append(trial)
            best = -negative
    return members


def near_front(trials: Iterable[Trial], goals: Goals, most: int) -> list[Trial]:
    """The trained trials off the front whose accuracy lies least below the front's at their cost.

    Args:
        trials: Of a study.
        goals: Its goals; what breaks a limit is not near.
        most: How many.
    """
    trials = list(trials)
    members = front(trials, goals)
    of_front = {trial.number for trial in members}
    gaps = []
    for trial in trials:
        is_candidate = trial.status == "trained" and trial.number not in of_front
        if not is_candidate or broken_limit(trial, goals.limits) is not None:
            continue
        for accuracy, cost in points([trial], goals):
            best = max(own for own, needed in points(members, goals) if needed <= cost)
            gaps.append((best - accuracy, trial.number, trial))
    return [trial for _, _, trial in sorted(gaps, key=lambda gap: gap[:2])[:most]]


def is_settled(trial: Trial, goals: Goals) -> bool:
    """Whether nothing better can be known of a trial's network: it was trained or broke a limit."""
    return trial.accuracy is not None or broken_limit(trial, goals.limits) is not None


def broken_limit(trial: Trial, limits: Sequence[Limit]) -> Limit | None:
    """The first limit that a trial's known quantities break; a latency, by its upper end."""
    for limit in limits:
        value = trial.bound(limit.quantity)
        if value is not None and value > limit.most:
            return limit
    return None


def points(trials: Iterable[Trial], goals: Goals) -> list[Point]:
    """Accuracy and cost of trials for which both are known."""
    pairs = [(trial.value(goals.quality), trial.value(goals.cost)) for trial in trials]
    return [
        (accuracy, cost) for accuracy, cost in pairs if accuracy is not None and cost is not None
    ]


def hypervolume(values: Iterable[Point], reference: Point) -> float:
    """The area that points dominate, up to a reference point (Zitzler and Thiele, 1998).

    Points beyond the reference add nothing.
    """
    floor, ceiling = reference
    area = 0.0
    for accuracy, cost in sorted(values, key=lambda point: (point[1], -point[0])):
        if accuracy > floor and cost < ceiling:
            area += (accuracy - floor) * (ceiling - cost)
            floor = accuracy
    return area


def knee(members: Sequence[Trial], goals: Goals) -> Trial:
    """The front's member farthest above the line between its ends, see `knee_point`.

    Raises:
        StudyError: there is none.
    """
    if not members:
        raise StudyError("the front is empty: no network within the limits is trained yet")
    return members[knee_point(points(members, goals))]


def has_knee(members: Sequence[Trial], goals: Goals) -> bool:
    """Whether a front's knee is one: a member above the line between the ends."""
    return _bend(points(members, goals)) is not None


def knee_point(ends: Sequence[Point]) -> int:
    """Which point of a front, from cheap to costly, is farthest above the line between its ends.

    Both axes are scaled to [0, 1]. This is the maximum distance rule (Das, 1999). Where none lies
    above that line, as of one or two points, it is the most accurate one.
    """
    bend = _bend(ends)
    return len(ends) - 1 if bend is None else bend


def _bend(ends: Sequence[Point]) -> int | None:
    """The point farthest above the line between the ends; None where none is above it."""
    if len(ends) < 3:
        return None
    (low_accuracy, low_cost), (high_accuracy, high_cost) = ends[0], ends[-1]

    def height(at: int) -> float:
        accuracy, cost = ends[at]
        gained = (accuracy - low_accuracy) / (high_accuracy - low_accuracy)
        return gained - (cost - low_cost) / (high_cost - low_cost)

    highest = max(range(1, len(ends) - 1), key=height)
    return highest if height(highest) > 0 else None
