"""What an audit found: how early figures foretell the final order, and what they cost."""

from __future__ import annotations

import plotly.graph_objects as go

from mbnas.analysis.audit import Audit, Foretelling, Kind
from mbnas.report.style import (
    BLUE,
    GREY,
    INK,
    MUTED,
    ORANGE,
    PALE,
    PURPLE,
    new_figure,
    say,
)
from mbnas.report.words import QUANTITIES, percent, tau, tau_interval

HEIGHT = 440
NAMES: dict[Kind, str] = {
    "schedule": "a short schedule of its own",
    "rung": "accuracy in the middle of the full one",
    "loss": "its training loss so far",
    "cost": "without any training",
}
_LOOKS: dict[Kind, tuple[str, str]] = {
    "schedule": (BLUE, "diamond"),
    "rung": (ORANGE, "circle"),
    "loss": (GREY, "square"),
    "cost": (PURPLE, "x"),
}


def agreement_figure(audit: Audit) -> go.Figure:
    """Kendall's τ with the final order against the share of the full training that it costs."""
    figure = new_figure(HEIGHT)
    if not audit.foretellings:
        return say(figure, "no network was trained to its end")
    ceiling = audit.ceiling
    if ceiling.low == ceiling.low:  # known
        figure.add_hrect(
            y0=ceiling.low,
            y1=ceiling.high,
            fillcolor=PALE,
            opacity=0.5,
            line_width=0,
            layer="below",
        )
        figure.add_hline(y=ceiling.tau, line={"color": MUTED, "width": 1})
    if audit.has_order:
        figure.add_hline(
            y=audit.wanted_tau,
            line={"color": MUTED, "width": 1, "dash": "dash"},
            annotation={
                "text": "good enough: 0.9 of what two seeds agree",
                "font": {"size": 11, "color": MUTED},
            },
            annotation_position="bottom right",
        )
    for kind in ("loss", "rung", "schedule", "cost"):
        some = [one for one in audit.foretellings if one.kind == kind]
        if some:
            _add(figure, kind, some)
    best = audit.recommended
    if best is not None:
        figure.add_scatter(
            name="recommended",
            x=[best.share],
            y=[best.overall.tau],
            mode="markers",
            marker={"symbol": "circle-open", "size": 22, "color": INK, "line": {"width": 2}},
            hoverinfo="skip",
        )
    figure.update_layout(
        xaxis={
            "title": {"text": "share of the full training"},
            "tickformat": "~%",
            "range": [-0.02, 1.0],
        },
        yaxis={"title": {"text": "Kendall’s τ with the final order"}},
    )
    return figure


def _add(figure: go.Figure, kind: Kind, some: list[Foretelling]) -> None:
    colour, symbol = _LOOKS[kind]
    bars = kind in ("schedule", "cost")  # those of every rung would hide each other
    figure.add_scatter(
        name=NAMES[kind],
        x=[one.share for one in some],
        y=[one.overall.tau for one in some],
        mode="markers" if kind == "cost" else "lines+markers",
        line={"width": 2, "color": colour},
        marker={"symbol": symbol, "size": 9 if bars else 6, "color": colour},
        error_y={
            "visible": bars,
            "type": "data",
            "symmetric": False,
            "array": [one.overall.high - one.overall.tau for one in some],
            "arrayminus": [one.overall.tau - one.overall.low for one in some],
            "color": colour,
            "thickness": 1,
            "width": 3,
        },
        hovertext=[
            f"{one.name} · {percent(one.share)} of the epochs<br>τ {tau(one.overall.tau)}"
            f" ({tau_interval(one.overall)})<br>best quarter {tau(one.best.tau)}"
            for one in some
        ],
        hoverinfo="text",
    )


def brief_and_full_figure(audit: Audit) -> go.Figure:
    """Every network's brief accuracy against its full one, of the recommended schedule or rung."""
    figure = new_figure(HEIGHT)
    best = audit.recommended
    if best is None:
        return say(figure, "nothing shorter than the full training can be recommended")
    brief = [_brief(audit, best, at) for at in range(len(audit.networks))]
    again = [
        (full, float(getattr(one.again.curve[-1], audit.quality)))
        for one, full in zip(audit.networks, audit.final, strict=True)
        if one.again is not None
    ]
    axis = QUANTITIES[audit.quality].axis
    names = [one.architecture.id for one in audit.networks]
    figure.add_scatter(
        name=best.name,
        x=brief,
        y=audit.final,
        mode="markers",
        marker={"size": 9, "color": BLUE, "symbol": "diamond"},
        hovertext=[
            f"{name}<br>{best.name}: {percent(x)}<br>full: {percent(y)}"
            for name, x, y in zip(names, brief, audit.final, strict=True)
        ],
        hoverinfo="text",
    )
    figure.add_scatter(
        name="second seed, full",
        x=[second for _, second in again],
        y=[first for first, _ in again],
        mode="markers",
        marker={"size": 8, "color": GREY, "symbol": "circle-open"},
        hoverinfo="skip",
    )
    figure.update_layout(
        xaxis={"title": {"text": f"{axis}, {best.name}"}, "tickformat": "~%"},
        yaxis={"title": {"text": f"{axis}, full training"}, "tickformat": "~%"},
    )
    return figure


def _brief(audit: Audit, best: Foretelling, at: int) -> float:
    one = audit.networks[at]
    epoch = (one.short[best.epochs] if best.kind == "schedule" else one.full).curve[best.epochs - 1]
    return float(getattr(epoch, audit.quality))
