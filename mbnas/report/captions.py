"""What a reader sees in each figure and how to read it, in a sentence or two."""

from __future__ import annotations

from mbnas.report.groups import groups, seen_accuracy
from mbnas.report.words import QUANTITIES, amount, limit, percent, plural
from mbnas.search import Study

KNEE_RULE = (
    "The ring marks the knee, where one more unit of cost begins to buy little: the member of the"
    " front farthest above the straight line between its ends, both axes scaled to 0–1."
)

DRAWN = (
    "From cheap to costly. A box is a stage: its block, its width × depth, its share of the MACs as"
    " a figure and as a bar; between boxes, the map that goes on. Arrows fuse an earlier map in."
)


def front_caption(study: Study) -> str:
    """How to read the front plot."""
    goals = study.record.goals
    noun = QUANTITIES[goals.cost].noun
    said = [
        f"Each mark is one network; up and to the left is better ({noun} low,"
        f" {QUANTITIES[goals.quality].noun} high)."
    ]
    if study.front:
        said.append("The line joins the front, the networks that no other beats in both.")
        said.append(KNEE_RULE)
        if goals.cost == "latency_ms":
            said.append("Horizontal bars are the 95% interval of the latency.")
    found = groups(study)
    silent = [
        t for trials in found.values() for t in trials if seen_accuracy(t, goals.quality) is None
    ]
    if found["stopped"]:
        said.append("Stopped networks stand at the accuracy they had come to.")
    if silent:
        said.append("The strip below holds networks without an accuracy.")
    if any(trial.value(goals.cost) is None for trial in silent):
        said.append(f"Those at its right end have no measured {noun} either.")
    others = [limit(bound) for bound in goals.limits if bound.quantity != goals.cost]
    if others:
        said.append(f"Also limited, but on no axis here: {', '.join(others)}.")
    return " ".join(said)


def hypervolume_caption(study: Study) -> str:
    """How to read the hypervolume."""
    record = study.record
    cost = record.goals.cost
    return (
        "The area under the front, up to a reference point that was fixed when the study was"
        f" created: {QUANTITIES[record.goals.quality].noun} {percent(record.reference_accuracy)},"
        f" {amount(cost, record.reference_cost)}. Each mark is a trial that improved the front;"
        " where the line has long been flat, more trials would likely bring little."
    )


def choices_caption(study: Study) -> str:
    """How to read the shares of the choices."""
    return (
        f"Blue: how many of the front's {plural(len(study.front), 'network')} took each option."
        " Grey behind it: the share among all evaluated networks. Tick: what chance would give."
        " Choices that the front is most decided on come first; with a small front, take weak"
        " preferences lightly."
    )


def curves_caption(study: Study) -> str:
    """How to read the training curves."""
    goals = study.record.goals
    axis, cost = QUANTITIES[goals.quality].axis, QUANTITIES[goals.cost].noun
    return (
        f"{axis.capitalize()} after each epoch, one line for each network on the front, from low"
        f" {cost} (orange) to high (blue). Curves that still rise at the end would gain from longer"
        " training."
    )
