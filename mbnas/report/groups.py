"""Trials as figures and tables tell them apart, and what is said of one when it is pointed at."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import TypeVar
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from mbnas.report.style import MARKS, Group
from mbnas.report.words import QUANTITIES, amount, count, digits, escaped, interval, percent, size
from mbnas.search import Goals, Study, Trial, knee
from mbnas.search.front import has_knee
from mbnas.search.objectives import QUALITIES

REASON_WIDTH = 64
BRIEF_REASON = 40
_Item = TypeVar("_Item")
_FOUND: WeakKeyDictionary[Study, dict[Group, list[Trial]]] = WeakKeyDictionary()
# A study is what it was when it was opened, and every figure of it asks for the same groups.


def groups(study: Study) -> dict[Group, list[Trial]]:
    """Every trial in exactly one group, reused ones left out; the front from cheap to costly."""
    if study not in _FOUND:
        _FOUND[study] = _sorted_out(study)
    return _FOUND[study]


def _sorted_out(study: Study) -> dict[Group, list[Trial]]:
    found: dict[Group, list[Trial]] = {group: [] for group in MARKS}
    found["front"] = study.front
    members = {trial.number for trial in found["front"]}
    for trial in evaluated(study):
        if trial.number not in members:
            found[_off_the_front(trial)].append(trial)
    return found


def knee_of(study: Study) -> Trial | None:
    """The knee of a study's front; None where it bends nowhere, as with one or two members."""
    members, goals = study.front, study.record.goals
    return knee(members, goals) if has_knee(members, goals) else None


def evaluated(study: Study) -> list[Trial]:
    """The trials that were evaluated themselves and did not take over a known result."""
    return [trial for trial in study.trials if trial.status != "reused"]


def _off_the_front(trial: Trial) -> Group:
    match trial.status:
        case "trained":
            return "dominated"
        case "stopped" | "failed":
            return trial.status
        case _:
            return "untrained"


def seen_accuracy(trial: Trial, quality: str) -> float | None:
    """The accuracy searched for; of a stopped trial, after the last epoch that it came to."""
    if trial.status == "stopped" and trial.curve:
        return float(getattr(trial.curve[-1], quality))
    return trial.value(quality)


def value_of(trial: Trial, quantity: str) -> float | None:
    """A trial's value of any of `words.QUANTITIES`; None where it is not known.

    The time of a training that was never begun is not known, rather than zero.
    """
    if quantity == "training_seconds":
        return trial.training_seconds if trial.training_seconds > 0 else None
    return trial.value(quantity)


def seen(trial: Trial, quantity: str) -> float | None:
    """A trial's value of any quantity where figures have it: an accuracy as `seen_accuracy`."""
    return seen_accuracy(trial, quantity) if quantity in QUALITIES else value_of(trial, quantity)


def all_seen(trials: Sequence[Trial], quantity: str) -> NDArray[np.float64]:
    """The same of some trials, NaN where it is not known, (trials,)."""
    return np.array([seen(trial, quantity) for trial in trials], dtype=np.float64)


def front_and_below(study: Study, most: int) -> list[Trial]:
    """The front's members, then the trials whose accuracy lies least below the front's.

    Each is held against the front at its own cost; a stopped one, with the accuracy that it had
    come to. Trials without an accuracy or a cost lie nowhere.
    """
    found, goals = groups(study), study.record.goals
    members = found["front"]
    others = [
        (trial, accuracy, cost)
        for group in ("dominated", "stopped")
        for trial in found[group]
        if (accuracy := seen_accuracy(trial, goals.quality)) is not None
        and (cost := trial.value(goals.cost)) is not None
    ]
    costs = [trial.value(goals.cost) for trial in members]
    # What costs less than any member is held against the cheapest; without a front, against 0.
    heights = np.array([trial.value(goals.quality) for trial in members] or [0.0], dtype=float)
    at = np.searchsorted(np.array(costs, float), [cost for _, _, cost in others], side="right")
    gaps = heights[np.maximum(at - 1, 0)] - [accuracy for _, accuracy, _ in others]
    nearest = [others[one][0] for one in np.argsort(gaps, kind="stable")]
    return [*members, *nearest][:most]


def spread(items: Sequence[_Item], most: int) -> list[_Item]:
    """At most so many of some items: all, or evenly spaced ones with both ends."""
    if len(items) <= most:
        return list(items)
    return [items[round(at)] for at in np.linspace(0, len(items) - 1, most)]


def origin(trial: Trial) -> str:
    """Where a trial comes from, if not from the sampler."""
    parts = []
    if trial.start is not None:
        outside = ", not of the space" if trial.outside else ""
        parts.append(f"started from {trial.start}{outside}")
    if trial.known_from is not None:
        parts.append(f"trained in {trial.known_from}")
    return "; ".join(parts)


def brief(trial: Trial, group: Group, goals: Goals) -> str:
    """A trial in about a hundred letters, for a plot that holds thousands; as `said` in form.

    What was searched for comes first.
    """
    lines = [f"<b>trial {trial.number}</b> {MARKS[group].name}"]
    accuracy = seen_accuracy(trial, goals.quality)
    if accuracy is not None:
        lines.append(f"{QUANTITIES[goals.quality].noun} {accuracy:.2%}")
    # Of a dictionary, what is named twice keeps its first place.
    names = dict.fromkeys((goals.cost, "latency_ms", "params"))
    lines += [line for name in names if (line := _cost_said(trial, name))]
    if trial.reason:
        reason = trial.reason
        cut = reason if len(reason) <= BRIEF_REASON else reason[: BRIEF_REASON - 3] + "..."
        lines.append(f"<i>{escaped(cut.replace(chr(10), ' '))}</i>")
    return "<br>".join(lines)


def _cost_said(trial: Trial, name: str) -> str:
    if name == "params":
        return f"{trial.costs.params:,} parameters"
    value, latency = trial.value(name), trial.latency
    if value is None:
        return ""
    text = amount(name, value)
    if name == "latency_ms" and latency is not None:
        return f"{text} ({digits(latency.low_ms)} to {digits(latency.high_ms)})"
    noun = QUANTITIES[name].noun
    return text if text.endswith(noun) else f"{noun} {text}"


def said(trial: Trial, group: Group) -> str:
    """A trial in words, lines parted by `<br>`, everything else escaped."""
    lines = [f"<b>trial {trial.number}</b> · {MARKS[group].name}"]
    lines += [escaped(origin(trial))] if origin(trial) else []
    accuracy = seen_accuracy(trial, "accuracy")
    if accuracy is not None:
        when = f" after {len(trial.curve)} epochs" if group == "stopped" else ""
        lines.append(f"accuracy {percent(accuracy)}{when}")
        lines.append(f"balanced {percent(seen_accuracy(trial, 'balanced_accuracy'))}")
    if trial.expected_accuracy is not None and trial.status in ("stopped", "untrained"):
        lines.append(f"expected to end at about {percent(trial.expected_accuracy)}")
    lines += _latency(trial)
    lines += [
        f"{count(trial.costs.params)} parameters · {amount('macs', trial.costs.macs)}",
        f"{size(trial.costs.size_bytes)} · {trial.costs.resolution} px",
    ]
    if trial.reason:
        lines += [f"<i>{escaped(line)}</i>" for line in textwrap.wrap(trial.reason, REASON_WIDTH)]
    lines += ["", *map(escaped, trial.architecture.describe().splitlines())]
    lines.append(f"id {trial.architecture.id}")
    return "<br>".join(lines)


def _latency(trial: Trial) -> list[str]:
    latency = trial.latency
    if latency is None:
        return ["latency not measured"]
    noisy = " · noisy" if latency.noisy else ""
    return [
        f"latency {digits(latency.latency_ms)} ms ({interval(trial)}){noisy}",
        f"p50 {digits(latency.p50_ms)} ms · p90 {digits(latency.p90_ms)} ms",
    ]
