"""What a reader sees in each figure and how to read it, in a sentence or two."""

from __future__ import annotations

from collections.abc import Sequence

from mbnas.report.figures.clip import Clip, clipped
from mbnas.report.figures.contest import drawn_baselines, drawn_confirmed
from mbnas.report.figures.front import MANY, Axes
from mbnas.report.figures.hypervolume import beyond
from mbnas.report.figures.importance import SAMPLE, chance
from mbnas.report.groups import evaluated, groups, knee_of, seen
from mbnas.report.words import QUANTITIES, amount, limit, percent, plural
from mbnas.search import Study, Trial
from mbnas.search.front import broken_limit
from mbnas.search.objectives import QUALITIES

KNEE_RULE = (
    "The ring marks the knee, where one more unit of cost begins to buy little: the member of the"
    " front farthest above the straight line between its ends, both axes scaled to 0–1."
)

NO_KNEE = (
    "None of its members lies above the straight line between its ends: it has no knee, and --pick"
    " knee takes the most accurate one."
)

DRAWN = (
    "From cheap to costly. A box is a stage: its block, its width × depth, its share of the MACs as"
    " a figure and as a bar; between boxes, the map that goes on. Arrows fuse an earlier map in."
)


def front_caption(study: Study, axes: Axes | None = None) -> str:
    """How to read the front plot, on the axes that it has."""
    goals = study.record.goals
    axes = axes or Axes.of(goals)
    own = axes.are_of(goals)
    noun = QUANTITIES[axes.x].noun
    said = ["Each mark is one network."]
    if own:
        better = f"up and to the left is better ({noun} low, {QUANTITIES[axes.y].noun} high)"
        said = [f"Each mark is one network; {better}."]
    if study.front:
        said.append(
            "The line joins the front, the networks that no other matches in one and beats in the"
            " other."
            if own
            else f"The front of {QUANTITIES[goals.cost].noun} and"
            f" {QUANTITIES[goals.quality].noun} keeps its marks, not its line."
        )
        said += _about_knee(study, own)
        said += _about_intervals(study, axes)
    said += _about_contests(study, axes)
    found = groups(study)
    if found["stopped"] and any(name in QUALITIES for name in (axes.x, axes.y)):
        said.append("Stopped networks stand at the accuracy they had come to.")
        said += _about_clip(clipped(study, axes))
    said += _about_strip([trial for trials in found.values() for trial in trials], axes)
    others = [limit(one) for one in goals.limits if one.quantity not in (axes.x, axes.y)]
    if others:
        said.append(f"Also limited, but on no axis here: {', '.join(others)}.")
    return " ".join(said)


def _about_knee(study: Study, own: bool) -> list[str]:
    if knee_of(study) is None:
        return [NO_KNEE] if own else []
    return [KNEE_RULE if own else "The ring marks its knee."]


def _about_clip(clip: Clip | None) -> list[str]:
    if clip is None:
        return []
    lie = "lies" if clip.below == 1 else "lie"
    return [
        f"{clip.below:,} of them {lie} below what is shown: drag the lower end of the axis upwards"
        " to bring them in."
    ]


def _about_contests(study: Study, axes: Axes) -> list[str]:
    said = []
    if drawn_baselines(study, axes):
        said.append("Crosses are baselines, trained and timed as the trials were.")
    if drawn_confirmed(study, axes):
        said.append(
            "The heavy line is the confirmed front: longer trainings, a mean over their seeds with"
            " the standard deviation as a bar."
        )
    return said


def _about_strip(trials: Sequence[Trial], axes: Axes) -> list[str]:
    """What stands below the plot, and what at its right end."""
    low = any(seen(trial, axes.y) is None for trial in trials)
    right = any(seen(trial, axes.x) is None for trial in trials)
    lacking = "accuracy" if axes.y in QUALITIES else QUANTITIES[axes.y].noun
    article = "an" if lacking[0] in "aeiou" else "a"
    said = [f"The strip below holds networks without {article} {lacking}."] if low else []
    if right:
        where = "Those at its right end" if low else "The networks below, at the right end,"
        also = " either" if low else ""
        said.append(f"{where} have no measured {QUANTITIES[axes.x].noun}{also}.")
    return said


def _about_intervals(study: Study, axes: Axes) -> list[str]:
    if "latency_ms" not in (axes.x, axes.y):
        return []
    few = ", of the front and what lies nearest" if len(evaluated(study)) > MANY else ""
    way = "Horizontal" if axes.x == "latency_ms" else "Vertical"
    return [f"{way} bars are the 95% interval of the latency{few}."]


def hypervolume_caption(study: Study) -> str:
    """How to read the hypervolume."""
    record = study.record
    cost = record.goals.cost
    said = (
        "The area under the front, up to a reference point that was fixed when the study was"
        f" created: {QUANTITIES[record.goals.quality].noun} {percent(record.reference_accuracy)},"
        f" {amount(cost, record.reference_cost)}. Each mark is a trial that enlarged it; where the"
        " line has long been flat, more trials would likely bring little."
    )
    out = beyond(study)
    if not out:
        return said
    verbs = ("lies", "adds") if out == 1 else ("lie", "add")
    members = plural(len(study.front), "network")
    return f"{said} {out:,} of the front's {members} {verbs[0]} beyond it and {verbs[1]} nothing."


def importance_caption(study: Study) -> str:
    """How to read the importance of the choices."""
    goals = study.record.goals
    found = chance(study)
    if found is None:
        return "How much each choice matters is shown once enough networks are trained."
    return (
        f"How much of the spread in {QUANTITIES[goals.quality].noun} and"
        f" {QUANTITIES[goals.cost].noun} each choice alone explains among {found.networks} trained"
        f" networks (fANOVA, on at most {SAMPLE}); the rest lies in how choices act together. A bar"
        " that ends in the grey says nothing: with the same values shuffled among these networks,"
        f" some choice comes to {found.share:.0%} in one case of twenty. Choices that"
        f" matter for the {QUANTITIES[goals.quality].noun} but not for the"
        f" {QUANTITIES[goals.cost].noun} are cheap to get right."
    )


def parallel_caption(study: Study) -> str:
    """How to read the parallel coordinates."""
    goals = study.record.goals
    return (
        f"Each line is one network, running through its options to its"
        f" {QUANTITIES[goals.cost].noun} and its {QUANTITIES[goals.quality].noun}: coloured the"
        " front, from cheap (orange) to costly (blue), pale a sample of the other trained networks."
        " Where coloured lines run together, the front is decided; the choices that it is most"
        " decided on stand left. Within an option, cheap networks run below costly ones."
    )


def time_caption(study: Study) -> str:
    """How to read where the time went."""
    return (
        "Time of training by what became of the network, and of measuring latencies, added up over"
        f" the {plural(len(evaluated(study)), 'evaluated trial')}; where several trained at once,"
        " less went by on the clock."
    )


def latency_caption(trial: Trial) -> str:
    """How to read a network's latency."""
    return (
        f"Diamond: the estimate for trial {trial.number}, a run on an undisturbed core, with its"
        " 95% interval. Circle and triangle: the median and the 90% quantile of all runs by the"
        " clock, disturbed ones too; how far they lie off is what this machine adds."
    )


def choices_caption(study: Study) -> str:
    """How to read the shares of the choices."""
    limits = study.record.goals.limits
    is_refused = any(broken_limit(trial, limits) is not None for trial in evaluated(study))
    refused = ", those that a limit refused too" if is_refused else ""
    return (
        f"Blue: how many of the front's {plural(len(study.front), 'network')} took each option."
        f" Grey behind it: the share among all evaluated networks{refused}. Tick: what chance would"
        " give."
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
