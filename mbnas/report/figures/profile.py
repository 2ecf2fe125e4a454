"""Where the time goes inside one network."""

from __future__ import annotations

from collections.abc import Sequence

import plotly.graph_objects as go

from mbnas.measure.profile import OperatorTime, by_part
from mbnas.report.style import BLUE, ORANGE, mixed, new_figure

ROW_HEIGHT = 44


def profile_figure(name: str, operators: Sequence[OperatorTime]) -> go.Figure:
    """One bar a part of the network, first part on top, its operators side by side within it."""
    parts = by_part(operators)
    figure = new_figure(140 + ROW_HEIGHT * len(parts))
    most = max((operator.milliseconds for operator in operators), default=1.0)
    for operator in operators:
        share = operator.milliseconds / most
        figure.add_bar(
            orientation="h",
            y=[operator.part],
            x=[operator.milliseconds],
            marker={"color": mixed(BLUE, ORANGE, share), "line": {"width": 1, "color": "white"}},
            hovertext=f"{operator.name}<br>{operator.kind}: {operator.milliseconds:.3f} ms",
            hoverinfo="text",
            showlegend=False,
        )
    figure.update_layout(
        barmode="stack",
        title={"text": f"{name}: time by part, each operator a field"},
        margin={"t": 60},
        xaxis={"title": {"text": "milliseconds (with profiling)"}},
        yaxis={"categoryorder": "array", "categoryarray": list(parts)[::-1]},
    )
    return figure
