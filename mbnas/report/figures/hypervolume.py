"""How the front grew: hypervolume over trials."""

from __future__ import annotations

import plotly.graph_objects as go

from mbnas.report.groups import evaluated
from mbnas.report.style import BLUE, new_figure, say
from mbnas.report.words import QUANTITIES, amount, digits
from mbnas.search import Study, Trial, front, hypervolume
from mbnas.search.front import points
from mbnas.search.objectives import Goals

HEIGHT = 320


def hypervolume_figure(study: Study) -> go.Figure:
    """The area that the front dominated after each evaluated trial; a mark where it grew."""
    figure = new_figure(HEIGHT)
    trials = evaluated(study)
    if not trials:
        return say(figure, "no trial has finished yet")
    areas = hypervolumes(study)
    grew = [after > before for before, after in zip([0.0, *areas], areas, strict=False)]
    goals = study.record.goals
    figure.add_scatter(
        x=[trial.number for trial in trials],
        y=areas,
        mode="lines+markers",
        line={"shape": "hv", "width": 2, "color": BLUE},
        marker={"size": [8 if new else 0 for new in grew], "color": BLUE, "opacity": 1},
        customdata=[trial.number for trial in trials],
        hovertext=[
            _said(trial, area, new, goals)
            for trial, area, new in zip(trials, areas, grew, strict=True)
        ],
        hoverinfo="text",
        showlegend=False,
    )
    unit = QUANTITIES[goals.cost].unit
    figure.update_layout(
        xaxis={"title": {"text": "trial"}, "rangemode": "tozero"},
        yaxis={
            "title": {"text": f"hypervolume ({QUANTITIES[goals.quality].noun} × {unit})"},
            "tickformat": "~g" if goals.cost.endswith("_ms") else "~s",
            "rangemode": "tozero",
        },
        hovermode="x",
    )
    return figure


def hypervolumes(study: Study) -> list[float]:
    """The hypervolume after each evaluated trial, in their order."""
    goals, reference = study.record.goals, study.record.reference
    members: list[Trial] = []
    areas: list[float] = []
    for trial in evaluated(study):
        members = front([*members, trial], goals)
        areas.append(hypervolume(points(members, goals), reference))
    return areas


def _said(trial: Trial, area: float, grew: bool, goals: Goals) -> str:
    head = f"trial {trial.number}: {digits(area)}"
    if not grew:
        return head
    quality, cost = (amount(name, trial.value(name)) for name in goals.quantities)
    return f"{head}<br>new on the front: {quality}, {cost}"
