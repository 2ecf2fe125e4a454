"""The front: every trial by its cost and its accuracy."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import plotly.graph_objects as go

from mbnas.report import words
from mbnas.report.groups import groups, said, seen_accuracy
from mbnas.report.style import INK, MARKS, MUTED, Group, new_figure, say
from mbnas.report.words import QUANTITIES
from mbnas.search import Goals, Study, Trial, knee

HEIGHT = 500
LANE = 26  # pixels
DECADE = 10


@dataclass(frozen=True, slots=True)
class _Place:
    """Trials of one group in one part of the figure, and where in it they stand."""

    trials: Sequence[Trial]
    x: Sequence[float | None]
    y: Sequence[float | None]
    axes: tuple[str, str]


def front_figure(study: Study) -> go.Figure:
    """Every evaluated trial once: by cost and accuracy, or in a strip below if it has not both.

    The strip has a lane for each way to end; a trial whose cost was never measured stands in a
    column right of the axis. Each trace has its group as `meta`, each point its trial's number as
    `customdata`.
    """
    goals = study.record.goals
    sorted_out = {group: trials for group, trials in groups(study).items() if trials}
    if not sorted_out:
        return say(new_figure(HEIGHT // 2), "no trial has finished yet")
    lanes = [
        group for group, trials in sorted_out.items() if any(_in_strip(t, goals) for t in trials)
    ]
    places = {
        group: list(_places(trials, goals, lanes.index(group) if group in lanes else 0))
        for group, trials in sorted_out.items()
    }
    used = {place.axes for found in places.values() for place in found}
    figure = _laid_out(study, lanes, used)
    # Drawn from the least to the most important, so that the front lies on top.
    for group in reversed(places):
        for at, place in enumerate(places[group]):
            named = f"{MARKS[group].name} ({len(sorted_out[group])})"
            _add_points(figure, group, place, named, shown=at == 0)
    _mark_starts(figure, [trial for trials in sorted_out.values() for trial in trials], goals)
    if study.front:
        _mark_knee(figure, knee(study.front, goals), goals)
    _draw_limit(figure, goals, above=("x", "y") in used)
    return figure


def _in_strip(trial: Trial, goals: Goals) -> bool:
    return seen_accuracy(trial, goals.quality) is None or trial.value(goals.cost) is None


def _places(trials: Sequence[Trial], goals: Goals, lane: int) -> Iterator[_Place]:
    above = [trial for trial in trials if not _in_strip(trial, goals)]
    below = [trial for trial in trials if _in_strip(trial, goals)]
    known = [trial for trial in below if trial.value(goals.cost) is not None]
    unknown = [trial for trial in below if trial.value(goals.cost) is None]

    def costs(some: Sequence[Trial]) -> list[float | None]:
        return [trial.value(goals.cost) for trial in some]

    if above:
        seen = [seen_accuracy(trial, goals.quality) for trial in above]
        yield _Place(above, costs(above), seen, ("x", "y"))
    if known:
        yield _Place(known, costs(known), [lane] * len(known), ("x", "y2"))
    if unknown:
        spread = [(at + 0.5) / len(unknown) for at in range(len(unknown))]
        yield _Place(unknown, spread, [lane] * len(unknown), ("x2", "y2"))


def _laid_out(study: Study, lanes: Sequence[Group], used: set[tuple[str, str]]) -> go.Figure:
    """The figure's axes, only those that something stands on."""
    above, column = ("x", "y") in used, ("x2", "y2") in used
    figure = new_figure((HEIGHT if above else 130) + LANE * len(lanes))
    margin = figure.layout.margin
    strip = LANE * len(lanes) / (figure.layout.height - margin.t - margin.b) if above else 1.0
    end = 0.9 if column else 1.0
    figure.update_layout(
        xaxis={**_cost_axis(study), "domain": [0, end], "anchor": "y2" if lanes else "y"},
        legend={"traceorder": "reversed"},
    )
    quiet = {"showgrid": False, "ticks": "", "zeroline": False, "fixedrange": True}
    small = {"tickfont": {"size": 11, "color": MUTED}}
    if above:
        figure.update_layout(
            yaxis={
                "title": {"text": QUANTITIES[study.record.goals.quality].axis},
                "tickformat": "~%",
                "domain": [strip + 0.05 if lanes else 0, 1],
            }
        )
    if lanes:
        names = [MARKS[group].name for group in lanes]
        figure.update_layout(
            yaxis2={
                "domain": [0, strip],
                "range": [len(lanes) - 0.5, -0.5],
                "tickvals": list(range(len(lanes))),
                "ticktext": names,
                "anchor": "x",
                **quiet,
                **small,
            }
        )
    if column:
        figure.update_layout(
            xaxis2={
                "domain": [end + 0.02, 1],
                "range": [0, 1],
                "anchor": "y2",
                "tickvals": [0.5],
                "ticktext": ["not<br>measured"],
                "ticklabeloverflow": "allow",
                **quiet,
                **small,
            }
        )
    return figure


def _cost_axis(study: Study) -> dict[str, object]:
    cost = study.record.goals.cost
    values = [value for trial in study.trials if (value := trial.value(cost)) is not None]
    wide = bool(values) and min(values) > 0 and max(values) / min(values) > DECADE
    return {
        "title": {"text": QUANTITIES[cost].axis + (", log scale" if wide else "")},
        "type": "log" if wide else "linear",
        "tickformat": "~g" if cost.endswith("_ms") else "~s",
    }


def _add_points(figure: go.Figure, group: Group, place: _Place, name: str, shown: bool) -> None:
    mark = MARKS[group]
    plotted = place.axes == ("x", "y")
    joined = group == "front" and len(place.trials) > 1
    figure.add_scatter(
        name=name,
        meta=group,
        legendgroup=group,
        showlegend=shown,
        x=place.x,
        y=place.y,
        xaxis=place.axes[0],
        yaxis=place.axes[1],
        mode="lines+markers" if joined else "markers",
        line={"shape": "hv", "width": 2, "color": mark.colour} if joined else None,
        marker={"symbol": mark.symbol, "size": mark.size, "color": mark.colour},
        opacity=1.0 if group == "front" else 0.85,
        error_x=_interval(place, mark.colour) if plotted else None,
        customdata=[trial.number for trial in place.trials],
        hovertext=[said(trial, group) for trial in place.trials],
        hoverinfo="text",
    )


def _interval(place: _Place, colour: str) -> dict[str, object] | None:
    """Error bars where the axis shows the quantity that has an interval."""
    latencies = [trial.latency for trial in place.trials]
    if any(n is None or n.latency_ms != x for n, x in zip(latencies, place.x, strict=True)):
        return None
    return {
        "type": "data",
        "symmetric": False,
        "array": [n and n.high_ms - n.latency_ms for n in latencies],
        "arrayminus": [n and n.latency_ms - n.low_ms for n in latencies],
        "color": colour,
        "thickness": 1,
        "width": 0,
    }


def _mark_knee(figure: go.Figure, trial: Trial, goals: Goals) -> None:
    figure.add_scatter(
        name="knee",
        x=[trial.value(goals.cost)],
        y=[trial.value(goals.quality)],
        mode="markers",
        marker={"symbol": "circle-open", "size": 22, "color": INK, "line": {"width": 2}},
        hoverinfo="skip",
    )


def _mark_starts(figure: go.Figure, trials: Sequence[Trial], goals: Goals) -> None:
    """A star around each network that the search was told to start from."""
    starts = [one for one in trials if one.start is not None and not _in_strip(one, goals)]
    if starts:
        figure.add_scatter(
            name=f"started from ({len(starts)})",
            x=[trial.value(goals.cost) for trial in starts],
            y=[seen_accuracy(trial, goals.quality) for trial in starts],
            mode="markers",
            marker={"symbol": "star-open", "size": 20, "color": INK, "line": {"width": 1.5}},
            hoverinfo="skip",
        )


def _draw_limit(figure: go.Figure, goals: Goals, above: bool) -> None:
    """The bound on the cost; bounds on other quantities have no place on these axes."""
    for limit in goals.limits:
        if limit.quantity == goals.cost:
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
                x0=limit.most,
                x1=limit.most,
                y0=0,
                y1=1,
                yref="paper",
                line={"color": MUTED, "width": 1.5, "dash": "dash"},
                label=label if above else None,
            )
