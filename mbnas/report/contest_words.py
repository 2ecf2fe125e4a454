"""What a front has over baselines, and what confirming has shown, in words."""

from __future__ import annotations

import math
from statistics import mean

from mbnas.analysis.confirmation import Confirmation, Confirmed, spread
from mbnas.analysis.uncertainty import Interval
from mbnas.analysis.versus import AgainstBaseline, Versus
from mbnas.report.words import plural

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


def hypervolume_said(found: Versus, others: str = "the baselines") -> str:
    """How much larger the area is that the front dominates."""
    theirs, difference = found.baselines_hypervolume, found.difference
    if theirs <= 0:
        return f"the area of {others} is empty"
    larger = difference.value / theirs
    low, high = sorted(abs(end) / theirs for end in (difference.low, difference.high))
    word = "larger" if larger >= 0 else "smaller"
    if difference.low <= 0 <= difference.high:
        return (
            f"the area that the front dominates is not surely different from that of {others}:"
            f" {larger:+.1%} (95 % {difference.low / theirs:+.1%} to"
            f" {difference.high / theirs:+.1%})"
        )
    return (
        f"the area that the front dominates is {abs(larger):.1%} {word} than that of {others}"
        f" (95 % {low:.1%} to {high:.1%})"
    )


def points(gain: Interval) -> str:
    """A difference of accuracies in percentage points."""
    return f"{100 * gain.value:.1f} points (95 % {100 * gain.low:.1f} to {100 * gain.high:.1f})"


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
