"""Latencies' intervals, as error bars of the marks that stand for trials."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go

from mbnas.report.figures.plane import Axes
from mbnas.report.groups import all_seen, front_and_below
from mbnas.report.style import MARKS
from mbnas.search import Study, Trial

NEIGHBOURS = 100


def intervals(trials: Sequence[Trial], axes: Axes, colour: str) -> dict[str, object]:
    """Error bars where an axis shows the quantity that has an interval."""
    latencies = [trial.latency for trial in trials]
    bars = {
        "type": "data",
        "symmetric": False,
        "array": np.array([n and n.high_ms - n.latency_ms for n in latencies], dtype=np.float32),
        "arrayminus": np.array([n and n.latency_ms - n.low_ms for n in latencies], np.float32),
        "color": colour,
        "thickness": 1,
        "width": 0,
    }
    shown = {"error_x": axes.x, "error_y": axes.y}
    return {name: bars for name, quantity in shown.items() if quantity == "latency_ms"}


def add_neighbours_intervals(figure: go.Figure, study: Study, axes: Axes) -> None:
    """Error bars of a few trials out of many, under the marks that they belong to."""
    members = len(study.front)
    near = front_and_below(study, members + NEIGHBOURS)[members:]
    for group in ("dominated", "stopped"):
        trials = [one for one in near if (one.status == "stopped") == (group == "stopped")]
        bars = intervals(trials, axes, MARKS[group].colour)
        if trials and bars:
            figure.add_scatter(
                legendgroup=group,
                showlegend=False,
                x=all_seen(trials, axes.x),
                y=all_seen(trials, axes.y),
                mode="markers",
                marker={"size": 1, "opacity": 0, "color": MARKS[group].colour},
                hoverinfo="skip",
                **bars,
            )
