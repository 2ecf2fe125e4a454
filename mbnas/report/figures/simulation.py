"""Replayed searches: hypervolume against trainings."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go

from mbnas.analysis.simulation import SHARES, Run
from mbnas.report.style import (
    BLUE,
    GREY,
    INK,
    MUTED,
    ORANGE,
    PURPLE,
    VERMILLION,
    new_figure,
)

HEIGHT = 480
TICKS = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000]
_LOOKS = (
    (BLUE, "solid"),
    (ORANGE, "dash"),
    (PURPLE, "dot"),
    (VERMILLION, "dashdot"),
    (GREY, "longdash"),
    (INK, "longdashdot"),
)


def simulation_figure(runs: Sequence[Run]) -> go.Figure:
    """The median of each sampler's runs, and the band that half of them lie in."""
    figure = new_figure(HEIGHT)
    longest = max(len(run.shares) for run in runs)
    for at, sampler in enumerate(dict.fromkeys(run.sampler for run in runs)):
        colour, dash = _LOOKS[at % len(_LOOKS)]
        # A run that ended early keeps what it had.
        curves = np.array(
            [
                np.pad(run.shares, (0, longest - len(run.shares)), mode="edge")
                for run in runs
                if run.sampler == sampler
            ]
        )
        low, middle, high = np.quantile(curves, [0.25, 0.5, 0.75], axis=0)
        trainings = np.arange(1, longest + 1)
        figure.add_scatter(
            x=np.concatenate([trainings, trainings[::-1]]).tolist(),
            y=np.concatenate([high, low[::-1]]).round(5).tolist(),
            fill="toself",
            fillcolor=colour,
            opacity=0.15,
            line={"width": 0},
            hoverinfo="skip",
            showlegend=False,
            legendgroup=sampler,
        )
        figure.add_scatter(
            name=sampler,
            x=trainings.tolist(),
            y=middle.round(5).tolist(),
            mode="lines",
            line={"color": colour, "width": 2, "dash": dash},
            legendgroup=sampler,
            hovertemplate=f"{sampler}, %{{x}} trainings: %{{y:.2%}}<extra></extra>",
        )
    for share in SHARES:
        figure.add_hline(y=share, line={"color": MUTED, "width": 1, "dash": "dot"})
    figure.update_layout(
        xaxis={"title": {"text": "trainings"}, "type": "log", "tickvals": TICKS},
        yaxis={
            "title": {"text": "share of the table's hypervolume"},
            "tickformat": "~%",
            "range": [0.6, 1.003],
        },
    )
    return figure
