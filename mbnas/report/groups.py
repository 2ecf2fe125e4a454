"""Trials as figures and tables tell them apart, and what is said of one when it is pointed at."""

from __future__ import annotations

import textwrap

from mbnas.report.style import MARKS, Group
from mbnas.report.words import amount, count, digits, escaped, interval, percent, size
from mbnas.search import Study, Trial

REASON_WIDTH = 64


def groups(study: Study) -> dict[Group, list[Trial]]:
    """Every trial in exactly one group, reused ones left out; the front from cheap to costly."""
    found: dict[Group, list[Trial]] = {group: [] for group in MARKS}
    found["front"] = study.front
    members = {trial.number for trial in found["front"]}
    for trial in evaluated(study):
        if trial.number not in members:
            found[_off_the_front(trial)].append(trial)
    return found


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


def origin(trial: Trial) -> str:
    """Where a trial comes from, if not from the sampler."""
    parts = []
    if trial.start is not None:
        outside = ", not of the space" if trial.outside else ""
        parts.append(f"started from {trial.start}{outside}")
    if trial.known_from is not None:
        parts.append(f"trained in {trial.known_from}")
    return "; ".join(parts)


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
