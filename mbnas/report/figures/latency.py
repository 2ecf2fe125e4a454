"""One network's latency, as far as its distribution is recorded, and others' below it."""

from __future__ import annotations

from collections.abc import Sequence

import plotly.graph_objects as go

from mbnas.measure.latency import Latency
from mbnas.report.style import BLUE, GREY, ORANGE, PURPLE, new_figure, say
from mbnas.report.words import digits, interval
from mbnas.search import Trial

ROW = 30  # pixels
_CLOCK = (("median of all runs", "p50_ms", "circle", ORANGE),
          ("90% of all runs are faster", "p90_ms", "triangle-left", PURPLE))  # fmt: skip


def latency_figure(trial: Trial, others: Sequence[Trial] = ()) -> go.Figure:
    """Estimate with its interval, median and 90 % quantile, one line a network, `trial` on top.

    Networks without a measured latency have no line.
    """
    shown = [(one, one.latency) for one in (trial, *others) if one.latency is not None]
    if trial.latency is None:
        return say(new_figure(200), f"the latency of trial {trial.number} was not measured")
    figure = new_figure(ROW * len(shown) + 130)
    rows = list(range(len(shown)))
    latencies = [latency for _, latency in shown]
    texts = [_said(one, latency) for one, latency in shown]
    for row, latency in enumerate(latencies):
        # From the fastest to the slowest figure, so that the eye keeps to a line.
        known = (latency.low_ms, latency.p50_ms, latency.p90_ms)
        figure.add_shape(
            type="line",
            layer="below",
            x0=min(known),
            x1=max(known),
            y0=row,
            y1=row,
            line={"color": GREY, "width": 1, "dash": "solid" if row == 0 else "dot"},
        )
    for name, quantity, symbol, colour in _CLOCK:
        figure.add_scatter(
            name=name,
            x=[getattr(latency, quantity) for latency in latencies],
            y=rows,
            mode="markers",
            marker={"symbol": symbol, "size": 9, "color": colour},
            hovertext=texts,
            hoverinfo="text",
        )
    figure.add_scatter(
        name="estimate, 95% interval",
        x=[latency.latency_ms for latency in latencies],
        y=rows,
        mode="markers",
        marker={
            "symbol": "diamond",
            "size": [12, *[9] * (len(rows) - 1)],
            "color": BLUE,
            "opacity": 1,
        },
        error_x={
            "type": "data",
            "symmetric": False,
            "array": [latency.high_ms - latency.latency_ms for latency in latencies],
            "arrayminus": [latency.latency_ms - latency.low_ms for latency in latencies],
            "color": BLUE,
            "thickness": 2,
            "width": 5,
        },
        customdata=[one.number for one, _ in shown],
        hovertext=texts,
        hoverinfo="text",
    )
    names = [f"<b>trial {trial.number}</b>", *(f"trial {one.number}" for one, _ in shown[1:])]
    figure.update_layout(
        margin={"l": 92},
        xaxis={"title": {"text": "latency (ms)"}, "tickformat": "~g"},
        yaxis={
            "range": [len(rows) - 0.5, -0.5],
            "tickvals": rows,
            "ticktext": names,
            "showgrid": False,
            "fixedrange": True,
        },
    )
    return figure


def _said(trial: Trial, latency: Latency) -> str:
    noisy = ", noisy" if latency.noisy else ""
    return "<br>".join(
        [
            f"<b>trial {trial.number}</b>",
            f"{digits(latency.latency_ms)} ms ({interval(trial)}){noisy}",
            f"p50 {digits(latency.p50_ms)} ms · p90 {digits(latency.p90_ms)} ms",
            f"{latency.samples:,} of {latency.runs:,} runs behind the estimate",
        ]
    )
