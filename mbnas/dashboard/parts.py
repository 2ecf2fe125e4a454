"""What the views are put together from: figures, drawn HTML, and a panel around them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go
from dash import ClientsideFunction, Dash, Input, Output, State, dcc, html
from dash.development.base_component import Component

from mbnas.report.style import DARK
from mbnas.report.words import escaped

SCHEME = "scheme"
"""The store that says light or dark, as the reader's system does."""
COLOURS = "dark-colours"
LIVE: dict[str, Any] = {"aria-live": "polite"}
"""Of a place whose changes a screen reader tells."""
_CONFIG: Any = {
    "displaylogo": False,
    "responsive": True,
    # Named one by one: others among Plotly's buttons send the figure to its cloud.
    "modeBarButtons": [["zoom2d", "pan2d", "autoScale2d", "toImage"]],
    "showSendToCloud": False,
    "toImageButtonOptions": {"format": "svg"},
}


def spoken(label: str) -> dict[str, Any]:
    """What a screen reader calls a place."""
    return {"aria-label": label}


def stores() -> list[Component]:
    """What every figure's colours follow."""
    return [dcc.Store(id=SCHEME, data="light"), dcc.Store(id=COLOURS, data=DARK)]


def figure_place(name: str, said: str) -> Component:
    """Where a figure stands; callbacks fill its store `NAME-figure`, in light colours."""
    graph = dcc.Graph(id=name, config=_CONFIG, responsive=True, clear_on_unhover=True)
    return html.Div(
        [graph, dcc.Store(id=f"{name}-figure")],
        className="plot",
        role="group",
        **spoken(said),
    )


def html_place(name: str, **attributes: Any) -> Component:
    """Where HTML of mbnas's own making stands; callbacks fill its store `NAME-html`."""
    return html.Div([html.Div(id=name, **attributes), dcc.Store(id=f"{name}-html")])


def panel(name: str, heading: str, *content: Component | Sequence[Component]) -> Component:
    """A part of a view under its heading."""
    children: list[Component] = [html.H2(heading, id=f"{name}-heading")]
    for part in content:
        children += [part] if isinstance(part, Component) else list(part)
    named: dict[str, Any] = {"aria-labelledby": f"{name}-heading"}
    return html.Section(children, id=f"{name}-panel", **named)


def hint(text: str) -> Component:
    """A quiet sentence."""
    return html.P(text, className="hint")


def labelled(label: str, control: Component) -> Component:
    """A control under its name, which Dash's own controls cannot be given."""
    children = [html.Span(label, className="label"), control]
    return html.Div(children, className="control", role="group", **spoken(label))


def draws(app: Dash, *names: str) -> None:
    """Lets figures be drawn from their stores, in the colours of the reader's scheme."""
    for name in names:
        app.clientside_callback(
            ClientsideFunction("mbnas", "themed"),
            Output(name, "figure"),
            Input(f"{name}-figure", "data"),
            Input(SCHEME, "data"),
            State(COLOURS, "data"),
        )


def puts(app: Dash, *names: str) -> None:
    """Lets HTML be put in its place from its store."""
    for name in names:
        app.clientside_callback(
            ClientsideFunction("mbnas", "put"),
            Output(name, "title"),  # nothing to see: what is put is not React's
            Input(f"{name}-html", "data"),
            State(name, "id"),
        )


def sent(figure: go.Figure) -> Any:
    """A figure as a store takes it: large arrays stay packed."""
    plain = figure.to_plotly_json()
    for trace, packed in zip(figure.data, plain["data"], strict=True):
        if trace.customdata is not None:  # of a packed array, Dash tells no click's part
            packed["customdata"] = np.asarray(trace.customdata).tolist()
    return plain


def note(text: str, command: str = "") -> str:
    """A line about what was asked for, as HTML; a command stands behind it."""
    code = f" <code>{escaped(command)}</code>" if command else ""
    return f"<p class='note'>{escaped(text)}{code}</p>"
