"""How the front grew: hypervolume over trials, or over the hours that they were trained for."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass, field
from itertools import accumulate
from typing import Literal

import numpy as np
import plotly.graph_objects as go

from mbnas.report.contests import contests
from mbnas.report.groups import evaluated
from mbnas.report.style import BLUE, MUTED, VERMILLION, new_figure, say
from mbnas.report.words import QUANTITIES, amount, digits
from mbnas.search import Study, Trial, front, hypervolume
from mbnas.search.front import Point, points
from mbnas.search.objectives import Goals

HEIGHT = 320
HOUR = 3600  # seconds
NOTHING = "no network lies within the reference point: the area is 0"
_MIDDLE = {"x": 0.5, "y": 0.5, "xref": "paper", "yref": "paper", "showarrow": False}
Over = Literal["trials", "training_hours"]


def hypervolume_figure(study: Study, over: Over = "trials") -> go.Figure:
    """The area that the front dominated as the search went on; a mark for each trial that added.

    Args:
        study: The study.
        over: What it went on by: its trials, or the hours spent on training.
    """
    figure = new_figure(HEIGHT)
    trials = evaluated(study)
    if not trials:
        return say(figure, "no trial has finished yet")
    hours = np.cumsum([trial.training_seconds for trial in trials]) / HOUR
    if over == "training_hours" and not hours[-1] > 0:
        return say(figure, "no time of training was recorded")
    areas = hypervolumes(study)
    grew = [after > before for before, after in zip([0.0, *areas], areas, strict=False)]
    # Between two trials that added, nothing happens: their steps say it all.
    shown = [at for at, new in enumerate(grew) if new or at in (0, len(trials) - 1)]
    goals = study.record.goals
    numbers = np.array([trials[at].number for at in shown], dtype=np.int32)
    figure.add_scatter(
        x=numbers if over == "trials" else hours[shown],
        y=np.array([areas[at] for at in shown]),
        mode="lines+markers",
        line={"shape": "hv", "width": 2, "color": BLUE},
        marker={"size": [8 if grew[at] else 0 for at in shown], "color": BLUE, "opacity": 1},
        customdata=numbers,
        hovertext=[_said(trials[at], areas[at], grew[at], goals) for at in shown],
        hoverinfo="text",
        showlegend=False,
    )
    _draw_baselines(figure, study)
    if not areas[-1] > 0:
        figure.add_annotation(text=NOTHING, font={"size": 14, "color": MUTED}, **_MIDDLE)
    unit = QUANTITIES[goals.cost].unit
    figure.update_layout(
        xaxis={
            "title": {"text": "trial" if over == "trials" else "hours of training"},
            "rangemode": "tozero",
        },
        yaxis={
            "title": {"text": f"hypervolume ({QUANTITIES[goals.quality].noun} × {unit})"},
            "tickformat": "~g" if goals.cost.endswith("_ms") else "~s",
            "rangemode": "tozero",
        },
        hovermode="x",
    )
    return figure


def _draw_baselines(figure: go.Figure, study: Study) -> None:
    """A line at the area that the study's baselines dominate, up to the front's reference."""
    baselines = contests(study).baselines
    if baselines is None:
        return
    goals = study.record.goals
    standing = [
        (one.qualities(goals.quality)[0], one.cost(goals.cost))
        for one in baselines.networks
        if one.failure is None
    ]
    accuracy, cost = study.record.reference
    inside = [one for one in standing if one[0] > accuracy and one[1] < cost]
    if not inside:  # a line at 0 would say that they are worthless
        return
    text = "baselines"
    if len(inside) < len(standing):
        text = f"baselines ({len(inside)} of {len(standing)} within the reference)"
    figure.add_hline(
        hypervolume(inside, study.record.reference),
        line={"color": VERMILLION, "width": 1.5, "dash": "dash"},
        annotation={"text": text, "font": {"size": 11, "color": MUTED}},
        annotation_position="top left",
    )


def beyond(study: Study) -> int:
    """How many of the front's members lie beyond the reference point and add nothing."""
    accuracy, cost = study.record.reference
    standing = points(study.front, study.record.goals)
    return sum(own <= accuracy or needed >= cost for own, needed in standing)


def hypervolumes(study: Study) -> list[float]:
    """The hypervolume after each evaluated trial, in their order."""
    growing = _Growing(study.record.goals, study.record.reference)
    return list(accumulate(evaluated(study), growing.after, initial=0.0))[1:]


@dataclass(slots=True)
class _Growing:
    """A front to which trials are added one by one; costs and accuracies both ascend."""

    goals: Goals
    reference: Point
    costs: list[float] = field(default_factory=list)
    accuracies: list[float] = field(default_factory=list)

    def after(self, area: float, trial: Trial) -> float:
        """The area with a trial, where it was `area` without."""
        cost, accuracy = trial.value(self.goals.cost), trial.value(self.goals.quality)
        if cost is None or accuracy is None:
            return area
        at = bisect_right(self.costs, cost)
        # Few trials come to the front: whether one is dominated is asked before all else.
        if (at and self.accuracies[at - 1] >= accuracy) or not front([trial], self.goals):
            return area
        first = at - 1 if at and self.costs[at - 1] == cost else at
        last = bisect_right(self.accuracies, accuracy)
        self.costs[first:last], self.accuracies[first:last] = [cost], [accuracy]
        return hypervolume(zip(self.accuracies, self.costs, strict=True), self.reference)


def _said(trial: Trial, area: float, grew: bool, goals: Goals) -> str:
    head = f"trial {trial.number}: {digits(area)}"
    if not grew:
        return head
    quality, cost = (amount(name, trial.value(name)) for name in goals.quantities)
    return f"{head}<br>new on the front: {quality}, {cost}"
