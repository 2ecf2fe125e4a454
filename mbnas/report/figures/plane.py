"""The plane that a study's trials stand on: two quantities, and a strip for what lacks one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray

from mbnas.report import words
from mbnas.report.style import MARKS, MUTED, Group, new_figure
from mbnas.report.words import QUANTITIES
from mbnas.search import Goals, Limit
from mbnas.search.objectives import QUALITIES

Numbers = NDArray[np.number[Any]]
HEIGHT = 500
LANE = 26  # pixels
DECADE = 10


@dataclass(frozen=True, slots=True)
class Axes:
    """What a figure of trials has across and up, each one of `words.QUANTITIES`.

    Attributes:
        x: Across.
        y: Up.
        log_x: Whether the axis across is logarithmic; None where a cost's spread decides.
        log_y: Whether the axis up is.
    """

    x: str
    y: str
    log_x: bool | None = None
    log_y: bool = False

    @classmethod
    def of(cls, goals: Goals) -> Axes:
        """The cost across, the accuracy up: what the search was for."""
        return cls(goals.cost, goals.quality)

    def are_of(self, goals: Goals) -> bool:
        """Whether the front is a front to the eye: a line that climbs."""
        return (self.x, self.y) == (goals.cost, goals.quality)


def is_log(axes: Axes, values: Numbers) -> bool:
    """Whether the axis across is logarithmic, given all values on it."""
    return is_wide(axes.x, values) if axes.log_x is None else axes.log_x


def laid_out(
    axes: Axes, values: Numbers, lanes: Sequence[Group], used: set[tuple[str, str]]
) -> go.Figure:
    """An empty figure with its axes, only those that something stands on.

    Args:
        axes: What they show.
        values: Of the quantity across, NaN where it is not known.
        lanes: The groups with a lane in the strip.
        used: Names of the axes on which trials stand.
    """
    above, column = ("x", "y") in used, ("x2", "y2") in used
    figure = new_figure((HEIGHT if above else 130) + LANE * len(lanes))
    margin = figure.layout.margin
    strip = LANE * len(lanes) / (figure.layout.height - margin.t - margin.b) if above else 1.0
    end = 0.9 if column else 1.0
    across = axis(axes.x, is_log(axes, values))
    layout = {
        "xaxis": {**across, "domain": [0, end], "anchor": "y2" if lanes else "y"},
        "legend": {"traceorder": "reversed"},
    }
    if above:
        layout["yaxis"] = {
            **axis(axes.y, axes.log_y),
            "domain": [strip + 0.05 if lanes else 0, 1],
        }
    if lanes:
        layout["yaxis2"] = _strip(lanes, strip)
    if column:
        layout["xaxis2"] = _column(end)
    return figure.update_layout(layout)


def is_wide(quantity: str, values: Numbers) -> bool:
    """Whether a cost's values lie so far apart that its axis is logarithmic."""
    known = values[~np.isnan(values)]
    if quantity in QUALITIES or not known.size:
        return False
    return bool(known.min() > 0 and known.max() / known.min() > DECADE)


def is_plain(quantity: str) -> bool:
    """Whether a quantity's values are written without a prefix such as k or m."""
    return quantity.endswith(("_ms", "_seconds"))


def axis(quantity: str, is_log: bool) -> dict[str, object]:
    """The axis of a quantity, as Plotly's layout has it."""
    return {
        "title": {"text": QUANTITIES[quantity].axis + (", log scale" if is_log else "")},
        "type": "log" if is_log else "linear",
        "tickformat": "~%" if quantity in QUALITIES else "~g" if is_plain(quantity) else "~s",
        "nticks": 5 if is_log else None,  # of more, a decade's last would lie upon each other
    }


_QUIET: Mapping[str, object] = {
    "showgrid": False,
    "ticks": "",
    "zeroline": False,
    "fixedrange": True,
    "tickfont": {"size": 11, "color": MUTED},
}


def _strip(lanes: Sequence[Group], height: float) -> dict[str, object]:
    return {
        "domain": [0, height],
        "range": [len(lanes) - 0.5, -0.5],
        "tickvals": list(range(len(lanes))),
        "ticktext": [MARKS[group].name for group in lanes],
        "anchor": "x",
        **_QUIET,
    }


def _column(end: float) -> dict[str, object]:
    return {
        "domain": [end + 0.02, 1],
        "range": [0, 1],
        "anchor": "y2",
        "tickvals": [0.5],
        "ticktext": ["not<br>measured"],
        "ticklabeloverflow": "allow",
        **_QUIET,
    }


def draw_limits(figure: go.Figure, limits: Sequence[Limit], axes: Axes, above: bool) -> None:
    """The bounds on what the axes show; those on other quantities have no place there.

    Args:
        figure: Where to draw them.
        limits: All limits of the study.
        axes: What the figure shows.
        above: Whether anything stands above the strip.
    """
    for limit in limits:
        if limit.quantity == axes.x:
            ends = {"x0": limit.most, "x1": limit.most, "y0": 0, "y1": 1, "yref": "paper"}
        elif limit.quantity == axes.y and above:
            ends = {"x0": 0, "x1": 1, "xref": "x domain", "y0": limit.most, "y1": limit.most}
        else:
            continue
        label = {
            "text": words.limit(limit),
            "textposition": "end",
            "textangle": 0,
            "xanchor": "right",
            "yanchor": "top",
            "padding": 6,
            "font": {"size": 11, "color": MUTED},
        }
        figure.add_shape(
            type="line",
            line={"color": MUTED, "width": 1.5, "dash": "dash"},
            label=label if above else None,
            **ends,
        )
