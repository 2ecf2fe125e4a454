"""Training curves of the front's members."""

from __future__ import annotations

import plotly.graph_objects as go

from mbnas.report.style import BLUE, ORANGE, mixed, new_figure, say
from mbnas.report.words import QUANTITIES, amount, percent
from mbnas.search import Study, Trial
from mbnas.search.objectives import Goals

HEIGHT = 400
NAMED = 14  # more names than this crowd out the curves


def curves_figure(study: Study) -> go.Figure:
    """Validation accuracy over epochs, one line a member, coloured from cheap to costly."""
    figure = new_figure(HEIGHT)
    members = [trial for trial in study.front if trial.curve]
    if not members:
        return say(figure, "no network is on the front yet")
    for at, trial in enumerate(members):
        share = at / max(1, len(members) - 1)
        _add_curve(figure, trial, study.record.goals, mixed(ORANGE, BLUE, share))
    longest = max(len(trial.curve) for trial in members)
    figure.update_layout(
        showlegend=len(members) <= NAMED,
        xaxis={
            "title": {"text": "epoch"},
            "tickformat": "d",
            "dtick": 1 if longest <= 12 else None,
        },
        yaxis={"title": {"text": QUANTITIES[study.record.goals.quality].axis}, "tickformat": "~%"},
    )
    return figure


def _add_curve(figure: go.Figure, trial: Trial, goals: Goals, colour: str) -> None:
    value = amount(goals.cost, trial.value(goals.cost))
    seen = [float(getattr(epoch, goals.quality)) for epoch in trial.curve]
    figure.add_scatter(
        name=f"{trial.number} ({value})",
        x=[epoch.epoch for epoch in trial.curve],
        y=seen,
        mode="lines+markers",
        line={"width": 2, "color": colour},
        marker={"size": 5, "color": colour},
        meta=trial.number,
        hovertext=[
            f"trial {trial.number} · {value}<br>epoch {epoch}: {percent(accuracy)}"
            for epoch, accuracy in enumerate(seen, start=1)
        ],
        hoverinfo="text",
    )
