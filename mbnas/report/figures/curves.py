"""Training curves, of the front's members or of any trials."""

from __future__ import annotations

from collections.abc import Sequence

import plotly.graph_objects as go

from mbnas.report.groups import spread
from mbnas.report.style import BLUE, ORANGE, mixed, new_figure, say
from mbnas.report.words import QUANTITIES, amount, percent
from mbnas.search import Study, Trial
from mbnas.search.objectives import Goals

HEIGHT = 400
NAMED = 14  # more names than this crowd out the curves
MOST = 60


def curves_figure(study: Study, trials: Sequence[Trial] | None = None) -> go.Figure:
    """Validation accuracy over epochs, one line a trial, coloured from cheap to costly.

    Args:
        study: The study.
        trials: Whose curves; by default the front's. Of more than 60, evenly spaced ones by cost,
            with both ends.
    """
    figure = new_figure(HEIGHT)
    goals = study.record.goals
    known = [trial for trial in (study.front if trials is None else trials) if trial.curve]
    if not known:
        nothing = "no network is on the front yet" if trials is None else "no epoch was trained"
        return say(figure, nothing)
    known.sort(key=lambda trial: (trial.value(goals.cost) is None, trial.value(goals.cost) or 0.0))
    shown = spread(known, MOST)
    for at, trial in enumerate(shown):
        share = at / max(1, len(shown) - 1)
        _add_curve(figure, trial, goals, mixed(ORANGE, BLUE, share))
    longest = max(len(trial.curve) for trial in shown)
    figure.update_layout(
        showlegend=len(shown) <= NAMED,
        xaxis={
            "title": {"text": "epoch"},
            "tickformat": "d",
            "dtick": 1 if longest <= 12 else None,
        },
        yaxis={"title": {"text": QUANTITIES[goals.quality].axis}, "tickformat": "~%"},
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
