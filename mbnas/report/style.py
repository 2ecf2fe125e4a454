"""One look for all figures: colours, marks and the layout they share.

Colours are those of Okabe and Ito (2008), told apart by colour-blind eyes; the orange and the grey
are darkened for contrast on white. Figures are made in light colours; `DARK` says what takes the
place of each on a dark page, so that whoever shows a figure can exchange them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import plotly.graph_objects as go

Group = Literal["front", "dominated", "stopped", "untrained", "failed"]

INK = "#1f2328"
MUTED = "#59636e"
RULE = "#e7eaee"
AXIS = "#b9c0c8"
PAPER = "#ffffff"
PALE = "#dde2e8"
BLUE = "#0072b2"
GREY = "#8a939d"
ORANGE = "#b97700"
PURPLE = "#b8568a"
VERMILLION = "#d55e00"

DARK = {
    INK: "#e8eaed",
    MUTED: "#a2abb5",
    RULE: "#282d34",
    AXIS: "#4a525c",
    PAPER: "#16191d",
    PALE: "#363d46",
    BLUE: "#56b4e9",
    GREY: "#808a95",
    ORANGE: "#e69f00",
    PURPLE: "#cc79a7",
    VERMILLION: "#f0783c",
}
"""What each colour becomes on a dark page."""

FONT = 'system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", "DejaVu Sans", sans-serif'


@dataclass(frozen=True, slots=True)
class Mark:
    """How a group of trials is drawn: a shape of its own beside a colour of its own.

    Attributes:
        name: In the legend.
        colour: One of this file's colours.
        symbol: Plotly's name of the shape.
        size: Width in pixels.
    """

    name: str
    colour: str
    symbol: str
    size: int


MARKS: dict[Group, Mark] = {
    "front": Mark("front", BLUE, "diamond", 11),
    "dominated": Mark("dominated", GREY, "circle", 7),
    "stopped": Mark("stopped", PURPLE, "triangle-down", 9),
    "untrained": Mark("untrained", ORANGE, "square-open", 8),
    "failed": Mark("failed", VERMILLION, "x", 8),
}


def new_figure(height: int) -> go.Figure:
    """An empty figure in the common look, `height` pixels high and as wide as its place."""
    axis = {
        "gridcolor": RULE,
        "linecolor": AXIS,
        "tickcolor": AXIS,
        "zeroline": False,
        "ticks": "outside",
        "ticklen": 4,
        "title": {"font": {"size": 13, "color": MUTED}, "standoff": 12},
        "tickfont": {"size": 12, "color": MUTED},
    }
    # In place of Plotly's own template, whose colours would be neither ours nor exchanged.
    figure = go.Figure(layout={"template": {"layout": {"xaxis": axis, "yaxis": axis}}})
    figure.update_layout(
        height=height,
        autosize=True,
        margin={"l": 76, "r": 20, "t": 16, "b": 56},
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        font={"family": FONT, "size": 13, "color": INK},
        hovermode="closest",
        hoverlabel={
            "bgcolor": PAPER,
            "bordercolor": AXIS,
            "font": {"family": FONT, "size": 12, "color": INK},
            "align": "left",
            "namelength": -1,
        },
        legend={
            "orientation": "h",
            "x": 0,
            "itemwidth": 30,
            "y": 1.02,
            "yanchor": "bottom",
            "font": {"size": 12, "color": INK},
            "bgcolor": "rgba(0,0,0,0)",
        },
        modebar={"bgcolor": "rgba(0,0,0,0)", "color": AXIS, "activecolor": BLUE},
        # A page that draws the figure again, in other colours or with more trials, keeps the zoom.
        uirevision="kept",
    )
    return figure


def say(figure: go.Figure, text: str) -> go.Figure:
    """Writes a sentence in the middle of a figure that has nothing to draw."""
    figure.update_layout(xaxis={"visible": False}, yaxis={"visible": False})
    figure.add_annotation(
        text=text,
        x=0.5,
        y=0.5,
        xref="paper",
        yref="paper",
        showarrow=False,
        font={"size": 14, "color": MUTED},
    )
    return figure


def striped(shape: str) -> dict[str, object]:
    """A bar's pattern, by Plotly's letter for its shape, on the bar's own colour."""
    return {"shape": shape, "size": 7, "solidity": 0.2, "fillmode": "overlay", "fgcolor": PAPER}


def mixed(first: str, second: str, share: float) -> str:
    """The colour that lies at a share in [0, 1] of the way between two `#rrggbb`."""
    ends = zip(_channels(first), _channels(second), strict=True)
    return "#" + "".join(f"{round(a + (b - a) * share):02x}" for a, b in ends)


def _channels(colour: str) -> tuple[int, int, int]:
    return (int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16))
