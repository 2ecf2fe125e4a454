"""The front through all choices: one upright axis for each, a line for each network."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import plotly.graph_objects as go

from mbnas.report.figures.choices import shares
from mbnas.report.groups import brief, groups, spread
from mbnas.report.style import AXIS, BLUE, GREY, INK, MUTED, ORANGE, PAPER, mixed, new_figure, say
from mbnas.report.words import QUANTITIES, amount, escaped
from mbnas.search import Study, Trial
from mbnas.space import Choice

HEIGHT = 460
MOST_AXES = 14
NARROW_AXES = 4
"""Choices that a phone has room for."""
SAMPLE = 300
MOST_MEMBERS = 60
BAND = 0.4
"""Share of the room between two options that lines through one option spread over."""
LONGEST_LABEL = 12


@dataclass(frozen=True, slots=True)
class _Axis:
    """An upright axis.

    Attributes:
        name: Below it.
        height: Where a trial crosses it, in [0, 1]; None where it does not.
        labels: What stands beside it, by height.
        side: On which side of it.
    """

    name: str
    height: Callable[[Trial], float | None]
    labels: Mapping[float, str]
    side: Literal["left", "right"] = "right"


def parallel_figure(study: Study, most: int = MOST_AXES) -> go.Figure:
    """Parallel coordinates of the front, with a sample of the other trained networks behind.

    The choices that the front is most decided on stand left, then the cost, then the accuracy.
    Each member of the front is a trace of its own with its number as `meta`; the others are one.

    Args:
        study: The study.
        most: How many choices at most have an axis.
    """
    members, goals = spread(study.front, MOST_MEMBERS), study.record.goals
    found = [each.choice for each in shares(study)[:most]] if members else []
    if not members:
        return say(new_figure(200), "no network is on the front yet")
    others = spread(groups(study)["dominated"], SAMPLE)
    drawn = [*members, *others]
    by_cost = sorted(drawn, key=lambda trial: trial.value(goals.cost) or 0.0)
    ranks = {trial.number: at / len(by_cost) - 0.5 for at, trial in enumerate(by_cost)}
    axes = [_choice_axis(choice, ranks) for choice in found]
    # Their labels stand at the same heights: those of one would lie on the other's.
    axes += [_value_axis(goals.cost, drawn, "left"), _value_axis(goals.quality, drawn, "right")]
    figure = _laid_out(axes)
    _add_others(figure, axes, others)
    for at, trial in enumerate(members):
        colour = mixed(ORANGE, BLUE, at / max(1, len(members) - 1))
        text = brief(trial, "front", goals)
        _add_member(figure, axes, trial, text, colour, named=at in (0, len(members) - 1))
    return figure


def _choice_axis(choice: Choice, ranks: Mapping[int, float]) -> _Axis:
    step = 1 / len(choice.labels)
    middles = {label: (at + 0.5) * step for at, label in enumerate(choice.labels)}

    def height(trial: Trial) -> float | None:
        label = trial.params.get(choice.name)
        if label not in middles:
            return None  # of a network from outside the space
        return middles[label] + ranks[trial.number] * BAND * step

    return _Axis(choice.name, height, {at: str(label) for label, at in middles.items()})


def _value_axis(quantity: str, trials: Sequence[Trial], side: Literal["left", "right"]) -> _Axis:
    known = [value for trial in trials if (value := trial.value(quantity)) is not None]
    low, high = min(known, default=0.0), max(known, default=1.0)
    room = high - low or 1.0

    def height(trial: Trial) -> float | None:
        value = trial.value(quantity)
        return None if value is None else (value - low) / room

    ends = {0.0: amount(quantity, low), 1.0: amount(quantity, high)}
    return _Axis(QUANTITIES[quantity].noun, height, ends, side)


def _laid_out(axes: Sequence[_Axis]) -> go.Figure:
    figure = new_figure(HEIGHT)
    last = len(axes) - 1
    figure.update_layout(
        margin={"l": 20, "r": 8, "b": 96},
        xaxis={
            "range": [-0.3, 1.03 * last + 0.75],  # room for what stands beside the last axis
            "tickvals": list(range(len(axes))),
            "ticktext": [escaped(axis.name) for axis in axes],
            "tickangle": 35,
            "ticklabeloverflow": "allow",
            "showgrid": False,
            "showline": False,
            "fixedrange": True,
            "ticks": "",
            "tickfont": {"size": 11, "color": INK},
        },
        yaxis={"visible": False, "range": [-0.05, 1.05], "fixedrange": True},
    )
    # All at once: Plotly looks at every label again for each that is added.
    lines = [
        {
            "x0": at,
            "x1": at,
            "y0": 0,
            "y1": 1,
            "layer": "below",
            "line": {"color": AXIS, "width": 1},
        }
        for at in range(len(axes))
    ]
    labels = [
        _label(text, at, height, axis.side)
        for at, axis in enumerate(axes)
        for height, text in axis.labels.items()
    ]
    return figure.update_layout(shapes=lines, annotations=labels)


def _label(text: str, x: int, y: float, side: str) -> dict[str, object]:
    return {
        "text": escaped(_short(text)),
        "x": x,
        "y": y,
        "xanchor": "left" if side == "right" else "right",
        "xshift": 3 if side == "right" else -3,
        "showarrow": False,
        "bgcolor": PAPER,
        "opacity": 0.85,
        "borderpad": 1,
        "font": {"size": 10, "color": MUTED},
    }


def _short(text: str) -> str:
    return text if len(text) <= LONGEST_LABEL else text[: LONGEST_LABEL - 1] + "…"


def _add_others(figure: go.Figure, axes: Sequence[_Axis], trials: Sequence[Trial]) -> None:
    if not trials:
        return
    # Where a line has no height it ends, and the next begins.
    heights = [[*(axis.height(trial) for axis in axes), None] for trial in trials]
    texts = [f"trial {trial.number}" for trial in trials]
    figure.add_scatter(
        name=f"trained, not on the front ({len(trials)})",
        x=np.tile(np.arange(len(axes) + 1), len(trials)),
        y=np.array(heights, dtype=float).ravel(),
        mode="lines",
        line={"color": GREY, "width": 1},
        opacity=0.35,
        hovertext=np.repeat(np.array(texts, dtype=object), len(axes) + 1),
        hoverinfo="text",
    )


def _add_member(
    figure: go.Figure, axes: Sequence[_Axis], trial: Trial, text: str, colour: str, named: bool
) -> None:
    figure.add_scatter(
        name=f"front, trial {trial.number}",
        meta=trial.number,
        showlegend=named,
        x=list(range(len(axes))),
        y=[axis.height(trial) for axis in axes],
        mode="lines+markers",
        line={"color": colour, "width": 2},
        marker={"symbol": "diamond", "size": 6, "color": colour},
        customdata=[trial.number] * len(axes),
        hovertext=[text] * len(axes),
        hoverinfo="text",
    )
