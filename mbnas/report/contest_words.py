"""What a front has over baselines, and what confirming has shown, in words."""

from __future__ import annotations

import math
from statistics import mean

from mbnas.analysis.confirmation import Confirmation, Confirmed, spread
from mbnas.analysis.uncertainty import Interval
from mbnas.analysis.versus import AgainstBaseline, Versus
from mbnas.report.words import amount, percent, plural

_NOUNS = {
    "latency_ms": ("latency", "times as fast"),
    "p90_ms": ("90 % quantile of latency", "times as fast"),
    "params": ("number of parameters", "times as few parameters"),
    "macs": ("number of multiply-accumulates", "times as few multiply-accumulates"),
    "size_bytes": ("size", "times as small"),
    "resolution": ("resolution", "times as small an image"),
}


def against_said(one: AgainstBaseline, cost: str) -> str:
    """One baseline, in two clauses."""
    noun, times = _NOUNS[cost]
    name = one.baseline.name
    if one.gain is None:
        gained = f"nothing of the front has so small a {noun} as {name}"
    else:
        gained = (
            f"at the {noun} of {name}, {one.gained_by} is {points(one.gain)} more accurate"
            if one.gain.value >= 0
            else f"at the {noun} of {name}, the front is no more accurate: {points(one.gain)}"
        )
    who = (
        f"at its accuracy, {one.reached_by} is"
        if one.is_reached
        else f"nothing of the front is as accurate, and its most accurate, {one.reached_by}, is"
    )
    return f"{gained}; {who} {ratio(one.ratio)} {times} (accuracy {_signed(one.margin)})"


def totals_said(found: Versus, cost: str, others: str = "the baselines") -> list[str]:
    """How a front stands as a whole: at equal cost, and by the area that it dominates."""
    return [_mean_gain_said(found, cost, others), _hypervolume_said(found, cost, others)]


def _mean_gain_said(found: Versus, cost: str, others: str) -> str:
    noun, _ = _NOUNS[cost]
    gain = found.mean_gain
    least, most = (amount(cost, end) for end in found.shared_costs)
    if not math.isnan(gain.low) and gain.low <= 0 <= gain.high:
        how = f"not surely more or less accurate than {others} at equal {noun}: {points(gain)}"
    elif gain.value >= 0:
        how = f"{points(gain)} more accurate than {others} at equal {noun}, on average"
    else:
        how = f"less accurate than {others} at equal {noun}, on average: {points(gain)}"
    return f"from {least} to {most}, the front is {how}"


def _hypervolume_said(found: Versus, cost: str, others: str) -> str:
    theirs, difference = found.baselines_hypervolume, found.difference
    if theirs <= 0:
        return f"the area of {others} is empty"
    up_to = f"up to {amount(cost, found.reference[1])} and from {percent(found.reference[0])}"
    larger = difference.value / theirs
    ends = (difference.low / theirs, difference.high / theirs)
    if ends[0] <= 0 <= ends[1]:
        return (
            f"the area that the front dominates, {up_to}, is not surely different from that of"
            f" {others}: {larger:+.1%} (95 % {ends[0]:+.1%} to {ends[1]:+.1%})"
        )
    low, high = sorted(map(abs, ends))
    interval = "" if math.isnan(low) else f" (95 % {low:.1%} to {high:.1%})"
    return (
        f"the area that the front dominates, {up_to}, is {abs(larger):.1%}"
        f" {'larger' if larger >= 0 else 'smaller'} than that of {others}{interval}"
    )


def points(gain: Interval) -> str:
    """A difference of accuracies in percentage points; its interval, if it has one."""
    value, low, high = (f"{100 * one:.1f}" for one in (gain.value, gain.low, gain.high))
    return f"{value} points" + ("" if math.isnan(gain.low) else f" (95 % {low} to {high})")


def _signed(margin: Interval) -> str:
    ends = (margin.value, margin.low, margin.high)
    value, low, high = (f"{round(100 * end, 1) + 0.0:+.1f}" for end in ends)  # no -0.0
    return f"{value} points, 95 % {low} to {high}"


def ratio(found: Interval) -> str:
    """A ratio of costs."""
    return f"{found.value:.2f} (95 % {found.low:.2f} to {found.high:.2f})"


def accuracy_said(values: tuple[float, ...]) -> str:
    """A mean over seeds, and the standard deviation between them in points."""
    said = f"{mean(values):.2%}"
    return said if len(values) == 1 else f"{said} ± {100 * spread(values):.2f}"


def place_said(one: Confirmed) -> str:
    """What became of a network's place on the front."""
    said = {"kept": "keeps its place", "left": "lost its place", "joined": "new on the front"}
    words = said.get(one.place, one.place)
    tied = one.place_now.tied_with
    return f"{words}, tied with {tied}" if tied else words


def confirmation_said(found: Confirmation) -> str:
    """What confirming has shown, in a sentence or two."""
    joined = sum(one.place == "joined" for one in found.networks)
    ties = sum(one.place_now.tied_with is not None for one in found.networks)
    tau = found.agreement
    interval = "" if math.isnan(tau.low) else f" ({tau.low:.2f} to {tau.high:.2f})"
    order = (
        ""
        if math.isnan(tau.tau)
        else f" Brief and full training agree on the order by τ = {tau.tau:.2f}{interval}."
    )
    rest = "rests" if ties == 1 else "rest"
    tied = f" {plural(ties, 'place')} {rest} on a tie." if ties else ""
    return f"{_members_said(found)}; {joined} joined.{tied}{order}{_missing_said(found)}"


def _members_said(found: Confirmation) -> str:
    """What became of the front's members, of all of them."""
    places = [one.place for one in found.networks]
    kept, left = places.count("kept"), places.count("left")
    failed, missing = found.failed_members, found.missing_members
    said = [f"{kept} kept {'its' if kept == 1 else 'their'} place", f"{left} lost it"]
    if failed:
        said.append(f"{failed} failed to train")
    if missing:
        said.append(f"{missing} {'waits' if missing == 1 else 'wait'} for the test")
    members = plural(kept + left + failed + missing, "member")
    return f"Of {members} of the front, {', '.join(said[:-1])} and {said[-1]}"


def _missing_said(found: Confirmation) -> str:
    missing = len(found.missing)
    if not missing:
        return ""
    return (
        f" {plural(missing, 'network')} {'is' if missing == 1 else 'are'} still missing and may"
        " change this: run the same mbnas confirm again."
    )
