"""A front on another target: every network where it stood and where it stands."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go

from mbnas.analysis.retarget import Retarget, Retimed
from mbnas.report.figures.plane import Axes, axis, draw_limits, is_log
from mbnas.report.style import BLUE, GREY, ORANGE, PALE, new_figure
from mbnas.report.words import QUANTITIES, digits, percent

HEIGHT = 520


def retarget_figure(found: Retarget) -> go.Figure:
    """Old and new latency of each network, joined; the old front and the new one as lines."""
    figure = new_figure(HEIGHT)
    quality = found.goals.quality
    timed = {one.trial.number: one for one in found.networks}
    figure.add_scatter(
        name="the same network",
        x=[value for one in found.networks for value in (one.old_ms, one.new_ms, None)],
        y=[value for one in found.networks for value in (*[one.trial.value(quality)] * 2, None)],
        mode="lines",
        line={"color": PALE, "width": 2},
        hoverinfo="skip",
    )
    for name, symbol in (("old latency", "circle-open"), ("new latency", "circle")):
        is_new = name == "new latency"
        members = found.new_front if is_new else found.old_front
        others = [one for one in found.networks if one.trial.number not in members]
        figure.add_scatter(
            **_marks(name, others, quality, is_new=is_new),
            mode="markers",
            marker={"symbol": symbol, "size": 8, "color": GREY},
        )
    old = [timed[number] for number in found.old_front]
    figure.add_scatter(
        **_marks(f"old front ({len(old)})", old, quality, is_new=False),
        mode="lines+markers",
        line={"shape": "hv", "width": 2, "color": ORANGE, "dash": "dot"},
        marker={"symbol": "diamond-open", "size": 11, "color": ORANGE, "line": {"width": 2}},
    )
    new = [timed[number] for number in found.new_front]
    figure.add_scatter(
        **_marks(f"new front ({len(new)})", new, quality, is_new=True),
        mode="lines+markers",
        line={"shape": "hv", "width": 2, "color": BLUE},
        marker={"symbol": "diamond", "size": 11, "color": BLUE},
        error_x={
            "type": "data",
            "symmetric": False,
            "array": [one.latency.high_ms - one.new_ms for one in new],
            "arrayminus": [one.new_ms - one.latency.low_ms for one in new],
            "color": BLUE,
            "thickness": 1,
            "width": 0,
        },
    )
    axes = Axes("latency_ms", quality)
    draw_limits(figure, found.goals.limits, axes, above=True)
    values = np.array([value for one in found.networks for value in (one.old_ms, one.new_ms)])
    return figure.update_layout(
        xaxis=axis(axes.x, is_log(axes, values)), yaxis=axis(axes.y, is_log=False)
    )


def _marks(
    name: str, networks: Sequence[Retimed], quality: str, *, is_new: bool
) -> dict[str, object]:
    return {
        "name": name,
        "x": [one.new_ms if is_new else one.old_ms for one in networks],
        "y": [one.trial.value(quality) for one in networks],
        "hovertext": [
            f"<b>trial {one.trial.number}</b><br>{QUANTITIES[quality].noun}"
            f" {percent(one.trial.value(quality))}<br>{digits(one.old_ms)} →"
            f" {digits(one.new_ms)} ms, rank {one.old_rank} → {one.new_rank}"
            for one in networks
        ],
        "hoverinfo": "text",
    }
