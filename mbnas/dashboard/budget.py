"""What a budget buys: the best network within a cost, and what a little more would bring."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from mbnas.report.words import amount, digits
from mbnas.search import Goals, Trial


@dataclass(frozen=True, slots=True)
class Offer:
    """What the front has for a budget.

    Attributes:
        best: The most accurate member within it; None where the cheapest costs more.
        next: The next member beyond it; None where `best` is the most accurate of all.
    """

    best: Trial | None
    next: Trial | None


def offer(front: Sequence[Trial], goals: Goals, budget: float) -> Offer:
    """What the front, from cheap to costly, has for a budget of its cost."""
    within = [trial for trial in front if (trial.value(goals.cost) or 0.0) <= budget]
    beyond = front[len(within) :]
    return Offer(within[-1] if within else None, beyond[0] if beyond else None)


def offer_said(found: Offer, goals: Goals, budget: float) -> str:
    """The same in a sentence or two."""
    within = f"Within {amount(goals.cost, budget)}"
    if found.best is None:
        if found.next is None:
            return "No network is on the front yet."
        return f"{within} there is no network; the cheapest is {_named(found.next, goals)}."
    said = f"{within} the best is {_named(found.best, goals)}."
    if found.next is None:
        return f"{said} Nothing on the front is more accurate."
    more = (found.next.value(goals.cost) or 0.0) - budget
    gain = (found.next.value(goals.quality) or 0.0) - (found.best.value(goals.quality) or 0.0)
    return (
        f"{said} {amount(goals.cost, more)} more would buy {digits(100 * gain)} points"
        f" (trial {found.next.number})."
    )


def _named(trial: Trial, goals: Goals) -> str:
    quality, cost = (amount(name, trial.value(name)) for name in goals.quantities)
    return f"trial {trial.number}: {quality} at {cost}"
