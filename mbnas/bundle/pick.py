"""Choosing one trial of a study by a word: knee, accuracy, latency, trial:17, latency_ms<=5."""

from __future__ import annotations

import math
import re

from mbnas.errors import StudyError
from mbnas.network.checks import nearest
from mbnas.search import COSTS, Study, Trial, knee

RULES = ("knee", "accuracy", "latency", "trial:N", "latency_ms<=X")


def pick(study: Study, rule: str) -> Trial:
    """The trial that a rule names.

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
    members = study.front
    if not members:
        raise StudyError(f"{where}: has no front yet; let the search finish a trial first")
    bound = re.fullmatch(r"(\w+)\s*<=\s*([0-9.eE+-]+)", rule)
    if bound:
        return _within(study, bound[1], _number(bound[2], rule))
    if rule == "knee":
        return knee(members, study.record.goals)
    if rule == "accuracy":
        return members[-1]
    if rule == "latency":
        return members[0]
    raise StudyError(f'pick "{rule}": unknown{nearest(rule, RULES)}; rules are {", ".join(RULES)}')


def _trained(study: Study, number: int) -> Trial:
    trial = study.trial(number)
    if trial.status == "reused" and trial.reused_from is not None:
        trial = study.trial(trial.reused_from)
    if trial.status != "trained":
        said = f": {trial.reason}" if trial.reason else ""
        raise StudyError(f"{study.folder.path}: trial {number} is {trial.status}{said}")
    return trial


def _within(study: Study, quantity: str, most: float) -> Trial:
    if quantity not in COSTS:
        hint = nearest(quantity, COSTS) or f"; costs are {', '.join(COSTS)}"
        raise StudyError(f'pick "{quantity}<={most:g}": not a cost{hint}')
    # The front is one of its own cost, not of any; of the others, those whose weights are kept.
    front = {member.number for member in study.front}
    values = [
        (trial.value(quantity), trial)
        for trial in study.trials
        if trial.number in front or (trial.status == "trained" and study.folder.has_weights(trial))
    ]
    inside = [trial for value, trial in values if value is not None and value <= most]
    if not inside:
        least = min((value for value, _ in values if value is not None), default=math.nan)
        raise StudyError(
            f"{study.folder.path}: no network has {quantity} <= {most:g};"
            f" the least of this study is {least:.4g}"
        )
    quality = study.record.goals.quality
    return max(
        inside, key=lambda trial: (trial.value(quality) or 0.0, -(trial.value(quantity) or 0.0))
    )


def _number(text: str, rule: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise StudyError(f'pick "{rule}": {text} is not a number') from None
