"""Baselines and the confirmed front, as marks on the plane of trials, and as a figure."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import mean

import numpy as np
import plotly.graph_objects as go

from mbnas.analysis.confirmation import Confirmation, Confirmed, spread
from mbnas.analysis.contest import Contested
from mbnas.report.contest_words import accuracy_said, place_said
from mbnas.report.contests import Contests, contests
from mbnas.report.figures.plane import Axes, axis, is_wide
from mbnas.report.style import BLUE, MUTED, VERMILLION, new_figure
from mbnas.report.words import escaped
from mbnas.search import Study
from mbnas.search.objectives import COSTS, QUALITIES

HEIGHT = 440
CONFIRMED = "confirmed front"


class EarlierStudy(Study):
    """A study as it was after one of its trials; what it is held against is the whole one's.

    Attributes:
        whole: The study with all its trials.
    """

    def __init__(self, whole: Study, last: int) -> None:
        trials = [trial for trial in whole.trials if trial.number <= last]
        super().__init__(whole.folder, whole.record, whole.space, trials)
        self.whole = whole


def mark_contests(figure: go.Figure, study: Study, axes: Axes) -> None:
    """Puts baselines and the confirmed front on a figure of trials, where its axes show them."""
    baselines, confirmed = drawn_baselines(study, axes), drawn_confirmed(study, axes)
    if baselines:
        _add_baselines(
            figure,
            [one.contender.name for one in baselines],
            [_of_contested(one, axes.x) for one in baselines],
            [_of_contested(one, axes.y) for one in baselines],
        )
    if confirmed:
        figure.add_scatter(
            **_points(confirmed, BLUE),
            name=f"{CONFIRMED} ({len(confirmed)})",
            mode="lines+markers",
            line={"shape": "hv", "width": 3, "color": BLUE},
            meta="confirmed",
        )


def drawn_baselines(study: Study, axes: Axes) -> list[Contested]:
    """The trained baselines, where both axes show what is known of them; else none."""
    found = _contests(study).baselines
    if found is None or not {axes.x, axes.y} <= {*COSTS, *QUALITIES}:
        return []
    return [one for one in found.networks if one.failure is None]


def drawn_confirmed(study: Study, axes: Axes) -> list[Confirmed]:
    """The confirmed front, which is a line on the goals' own axes alone."""
    found = _contests(study).confirmation
    return [] if found is None or not axes.are_of(study.record.goals) else found.front


def contest_values(study: Study, quantity: str) -> list[float]:
    """What those marks have of a quantity, so that an axis can have room for them."""
    found = _contests(study)
    values = []
    if quantity in (*COSTS, *QUALITIES) and found.baselines is not None:
        trained = [one for one in found.baselines.networks if one.failure is None]
        values += [_of_contested(one, quantity) for one in trained]
    confirmed = found.confirmation
    if confirmed is not None and quantity in (confirmed.cost, confirmed.quality):
        is_cost = quantity == confirmed.cost
        values += [one.cost if is_cost else mean(one.validation) for one in confirmed.front]
    return values


def confirmation_figure(found: Confirmation) -> go.Figure:
    """Every confirmed network by its cost and its test accuracy, the front joined."""
    figure = new_figure(HEIGHT)
    own = [one for one in found.networks if one.trial is not None]
    off = [one for one in own if not one.is_on_front]
    others = [one for one in found.networks if one.trial is None]
    if off:
        figure.add_scatter(
            **_points(off, MUTED, test=True),
            name=f"off the front ({len(off)})",
            mode="markers",
        )
    if others:
        figure.add_scatter(
            **_points(others, VERMILLION, test=True),
            name=f"baselines ({len(others)})",
            mode="markers+text",
            text=[one.name for one in others],
            **_labels([one.cost for one in others]),
        )
    figure.add_scatter(
        **_points(found.front, BLUE, test=True),
        name=f"{CONFIRMED} ({len(found.front)})",
        mode="lines+markers",
        line={"shape": "hv", "width": 2, "color": BLUE},
    )
    costs = np.array([one.cost for one in found.networks])
    figure.update_layout(
        xaxis=axis(found.cost, is_wide(found.cost, costs)),
        yaxis={
            "title": {"text": f"test {found.quality.replace('_', ' ')}"},
            "tickformat": "~%",
        },
    )
    return figure


def _add_baselines(
    figure: go.Figure, names: Sequence[str], x: Sequence[float], y: Sequence[float]
) -> None:
    figure.add_scatter(
        name=f"baselines ({len(names)})",
        x=x,
        y=y,
        mode="markers+text",
        marker={"symbol": "cross", "size": 10, "color": VERMILLION},
        text=names,
        **_labels(x),
        hovertext=names,
        hoverinfo="text",
        meta="baselines",
    )


def _labels(x: Sequence[float]) -> dict[str, object]:
    """How marks are named: to the left, where there is room, and of two neighbours one above."""
    order = sorted(range(len(x)), key=lambda at: x[at])
    sides = {at: ("bottom left", "top left")[rank % 2] for rank, at in enumerate(order)}
    return {
        "textposition": [sides[at] for at in range(len(x))],
        "textfont": {"size": 11, "color": MUTED},
        "cliponaxis": False,
    }


def _points(networks: Sequence[Confirmed], colour: str, *, test: bool = False) -> dict[str, object]:
    """Networks by their cost and the mean over their seeds, with the spread between these."""
    runs = [one.test if test else one.validation for one in networks]
    bars = {"color": colour, "thickness": 1, "width": 0, "type": "data"}
    return {
        "x": [one.cost for one in networks],
        "y": [mean(values) for values in runs],
        "error_y": {**bars, "array": [spread(values) for values in runs]},
        "error_x": {**bars, "array": [1.96 * one.cost_error for one in networks]},
        "marker": {
            "symbol": ["cross" if one.trial is None else "diamond" for one in networks],
            "size": 10,
            "color": colour,
        },
        "hovertext": [_said(one) for one in networks],
        "hoverinfo": "text",
    }


def _said(one: Confirmed) -> str:
    return "<br>".join(
        (
            f"<b>{escaped(one.name)}</b> {escaped(place_said(one))}",
            f"validation {accuracy_said(one.validation)}",
            f"test {accuracy_said(one.test)}",
        )
    )


def _contests(study: Study) -> Contests:
    return contests(study.whole if isinstance(study, EarlierStudy) else study)


def _of_contested(one: Contested, quantity: str) -> float:
    return one.qualities(quantity)[0] if quantity in QUALITIES else one.cost(quantity)
