"""Choosing one trial of a study by a word: knee, accuracy, latency, trial:17, latency_ms<=5."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import mean

from mbnas.analysis.confirm import open_confirmation
from mbnas.analysis.confirmation import is_allowed
from mbnas.errors import StudyError
from mbnas.network.checks import nearest
from mbnas.search import COSTS, Study, Trial
from mbnas.search.front import knee_point, points

RULES = ("knee", "accuracy", "latency", "trial:N", "latency_ms<=X")


def pick(study: Study, rule: str) -> Trial:
    """The trial that a rule names.

    Once the front is confirmed, it is picked from: by the mean validation accuracy of the full
    trainings, at the cost timed anew. A network that its new latency puts beyond a limit of the
    study is picked by its number alone.

    Args:
        study: The study.
        rule: `knee`; `accuracy`, the most accurate; `latency`, the cheapest of the front;
            `trial:17`; or a cost and a bound, `latency_ms<=5`: the most accurate within it.

    Raises:
        StudyError: no such rule, or no trial that it names.
    """
    where = study.folder.path
    number = re.fullmatch(r"trial:(\d{1,9})", rule)
    if number:
        return _trained(study, int(number[1]))
    candidates = _confirmed(study) or _searched(study)
    if not candidates:
        raise StudyError(f"{where}: has no front yet; let the search finish a trial first")
    bound = re.fullmatch(r"(\w+)\s*<=\s*([0-9.eE+-]+)", rule)
    if bound:
        return _within(study, candidates, bound[1], _number(bound[2], rule))
    members = sorted((one for one in candidates if one.is_on_front), key=lambda one: one.cost)
    if rule == "knee":
        return members[knee_point([(one.accuracy, one.cost) for one in members])].trial
    if rule == "accuracy":
        return members[-1].trial
    if rule == "latency":
        return members[0].trial
    raise StudyError(f'pick "{rule}": unknown{nearest(rule, RULES)}; rules are {", ".join(RULES)}')


@dataclass(frozen=True, slots=True)
class _Candidate:
    """A trial that may be picked.

    Attributes:
        trial: The trial.
        accuracy: Of the kind searched for.
        cost: Of the kind searched for.
        quantity: Its value of any cost.
        is_on_front: Whether it is.
    """

    trial: Trial
    accuracy: float
    cost: float
    quantity: Callable[[str], float | None]
    is_on_front: bool


def _confirmed(study: Study) -> list[_Candidate]:
    """The study's own confirmed networks within its limits; none without a confirmed front."""
    found = open_confirmation(study)
    if found is None or not found.front:
        return []
    return [
        _Candidate(
            study.trial(one.trial),
            mean(one.validation),
            one.cost,
            one.contested.cost,
            one.is_on_front,
        )
        for one in found.networks
        if one.trial is not None and is_allowed(one.contested, study.record.goals)
    ]


def _searched(study: Study) -> list[_Candidate]:
    """The front's trials, and of the others those whose weights are kept."""
    front, goals = {member.number for member in study.front}, study.record.goals
    # The front is one of its own cost, not of any.
    kept = [
        trial
        for trial in study.trials
        if trial.number in front or (trial.status == "trained" and study.folder.has_weights(trial))
    ]
    return (
        [
            _Candidate(trial, accuracy, cost, trial.value, trial.number in front)
            for trial in kept
            for accuracy, cost in points([trial], goals)
        ]
        if front
        else []
    )


def _trained(study: Study, number: int) -> Trial:
    trial = study.trial(number)
    if trial.status == "reused" and trial.reused_from is not None:
        trial = study.trial(trial.reused_from)
    if trial.status != "trained":
        said = f": {trial.reason}" if trial.reason else ""
        raise StudyError(f"{study.folder.path}: trial {number} is {trial.status}{said}")
    return trial


def _within(study: Study, candidates: Sequence[_Candidate], quantity: str, most: float) -> Trial:
    if quantity not in COSTS:
        hint = nearest(quantity, COSTS) or f"; costs are {', '.join(COSTS)}"
        raise StudyError(f'pick "{quantity}<={most:g}": not a cost{hint}')
    known = [(value, one) for one in candidates if (value := one.quantity(quantity)) is not None]
    inside = [(value, one) for value, one in known if value <= most]
    if not inside:
        least = min((value for value, _ in known), default=math.nan)
        raise StudyError(
            f"{study.folder.path}: no network has {quantity} <= {most:g};"
            f" the least of this study is {least:.4g}"
        )
    return max(inside, key=lambda pair: (pair[1].accuracy, -pair[0]))[1].trial


def _number(text: str, rule: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise StudyError(f'pick "{rule}": {text} is not a number') from None
