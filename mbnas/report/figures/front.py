"""The front: every trial by its cost and its accuracy, or by any two quantities."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import compress

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray

from mbnas.report.figures.clip import clipped, end_at
from mbnas.report.figures.contest import contest_values, mark_contests
from mbnas.report.figures.crowd import Window, parted
from mbnas.report.figures.intervals import add_neighbours_intervals, intervals
from mbnas.report.figures.plane import (
    Axes,
    Numbers,
    draw_limits,
    is_log,
    is_plain,
    is_wide,
    laid_out,
)
from mbnas.report.groups import all_seen, brief, groups, knee_of, value_of
from mbnas.report.style import INK, MARKS, Group, new_figure, say
from mbnas.report.words import QUANTITIES
from mbnas.search import Goals, Study, Trial
from mbnas.search.objectives import QUALITIES

__all__ = ["MANY", "Axes", "Window", "front_figure"]

EMPTY_HEIGHT = 250
MANY = 1_000
"""Of more trials than this, only the front and its neighbourhood have error bars."""
CROWDED = 4_000
"""A group of more trials than this is drawn with small, pale marks."""
SMALL = 0.6


@dataclass(frozen=True, slots=True)
class _Place:
    """Trials of one group in one part of the figure, and where in it they stand."""

    trials: Sequence[Trial]
    x: Numbers
    y: Numbers
    axes: tuple[str, str]

    @property
    def is_above(self) -> bool:
        """Whether both quantities are known, so that they stand above the strip."""
        return self.axes == ("x", "y")


@dataclass(frozen=True, slots=True)
class _Look:
    """How all marks are drawn.

    Attributes:
        axes: What is across and up.
        goals: Of the study.
        window: What is looked at, on a live page.
        log_x: Whether the axis across is logarithmic.
        bars: Whether all marks have error bars, and not only the front's.
    """

    axes: Axes
    goals: Goals
    window: Window | None
    log_x: bool
    bars: bool


def front_figure(study: Study, axes: Axes | None = None, window: Window | None = None) -> go.Figure:
    """Every evaluated trial once: by two quantities, or in a strip below if it has not both.

    The strip has a lane for each way to end; a trial for which the quantity across is not known
    stands in a column right of the axis. Each trace has its group as `meta`, each point its
    trial's number as `customdata`. The front's members keep their mark on any axes, and are joined
    where the axes are the goals' own.

    Args:
        study: The study.
        axes: What is across and up; by default the cost and the accuracy searched for.
        window: For a live page with thousands of trials: of marks that would lie on one another
            when this is looked at, one is drawn, and marks tell their number and place alone.
    """
    goals = study.record.goals
    axes = axes or Axes.of(goals)
    found = {group: trials for group, trials in groups(study).items() if trials}
    if not found:
        return say(new_figure(EMPTY_HEIGHT), "no trial has finished yet")
    x = {group: all_seen(trials, axes.x) for group, trials in found.items()}
    y = {group: all_seen(trials, axes.y) for group, trials in found.items()}
    every = [trial for trials in found.values() for trial in trials]
    values = _across(x.values(), study, axes.x)
    lanes = [group for group in found if np.isnan(x[group] + y[group]).any()]
    places = {
        group: list(_places(trials, x[group], y[group], _lane(group, lanes)))
        for group, trials in found.items()
    }
    used = {place.axes for parts in places.values() for place in parts}
    figure = laid_out(axes, values, lanes, used)
    clip = clipped(study, axes)
    if clip is not None:
        end_at(figure, clip, np.concatenate(list(y.values())))
        if window is not None and window.y is None:
            window = Window(window.x, clip.ends)
    many = len(every) > MANY
    if many:
        add_neighbours_intervals(figure, study, axes)
    look = _Look(axes, goals, window, is_log(axes, values), bars=not many)
    # Drawn from the least to the most important, so that the front lies on top.
    for group in reversed(places):
        named = f"{MARKS[group].name} ({len(found[group]):,})"
        for at, place in enumerate(places[group]):
            figure.add_scatter(**_trace(group, place, look), name=named, showlegend=at == 0)
    _mark_starts(figure, every, axes)
    mark_contests(figure, study, axes)
    best = knee_of(study)
    if best is not None:
        _mark_knee(figure, best, axes)
    draw_limits(figure, goals.limits, axes, above=("x", "y") in used)
    return figure


def is_wide_across(study: Study, quantity: str) -> bool:
    """Whether the axis across is logarithmic where nobody asks for another."""
    trials = [trial for some in groups(study).values() for trial in some]
    return is_wide(quantity, _across([all_seen(trials, quantity)], study, quantity))


def _across(parts: Iterable[Numbers], study: Study, quantity: str) -> Numbers:
    """All that stands on the axis across, NaN where it is not known."""
    return np.concatenate([*parts, contest_values(study, quantity)])


def _lane(group: Group, lanes: Sequence[Group]) -> int:
    return lanes.index(group) if group in lanes else 0


def _places(trials: Sequence[Trial], x: Numbers, y: Numbers, lane: int) -> Iterator[_Place]:
    above = ~np.isnan(x + y)
    known = ~np.isnan(x) & ~above
    unknown = np.isnan(x)

    def some(mask: NDArray[np.bool_]) -> list[Trial]:
        return list(compress(trials, mask.tolist()))

    if above.any():
        yield _Place(some(above), x[above], y[above], ("x", "y"))
    if known.any():
        yield _Place(some(known), x[known], _same(lane, known), ("x", "y2"))
    if unknown.any():
        count = int(unknown.sum())
        yield _Place(
            some(unknown), (np.arange(count) + 0.5) / count, _same(lane, unknown), ("x2", "y2")
        )


def _thinned(place: _Place, window: Window, look: _Look) -> _Place:
    """What of it can be told apart in a window."""
    across = place.axes[0] == "x"
    x = np.log10(place.x) if across and look.log_x else place.x
    y = np.log10(place.y) if place.is_above and look.axes.log_y else place.y
    seen = Window(window.x if across else None, window.y if place.is_above else None)
    kept = parted(x, y, seen)
    return _Place(
        list(compress(place.trials, kept.tolist())), place.x[kept], place.y[kept], place.axes
    )


def _same(lane: int, mask: NDArray[np.bool_]) -> Numbers:
    return np.full(int(mask.sum()), lane, dtype=np.int8)


def _hover(axes: Axes, place: _Place, group: Group, *, words: bool) -> str:
    """Below the brief text, or in its place, what the axes show."""
    head = "%{hovertext}" if words else f"<b>trial %{{customdata}}</b> {MARKS[group].name}"
    shown = (("x", axes.x), ("y", axes.y)) if place.is_above else ()
    lines = [f"{QUANTITIES[name].axis} %{{{at}{_digits(name)}}}" for at, name in shown]
    return "<br>".join([head, *lines]) + "<extra></extra>"


def _digits(quantity: str) -> str:
    """How Plotly is to write a value of a quantity, whose name says the unit."""
    if quantity in QUALITIES:
        return ":.2%"
    return ":.4~g" if is_plain(quantity) else ":.4~s"


def _trace(group: Group, whole: _Place, look: _Look) -> dict[str, object]:
    """The marks of one group in one part of the figure."""
    is_front, axes, window = group == "front", look.axes, look.window
    place = whole if window is None or is_front else _thinned(whole, window, look)
    trace = _points(group, place, crowded=len(whole.trials) > CROWDED)
    if window is None:
        trace.update(_said(group, place.trials, look.goals))
    if window is not None or (place.is_above and not axes.are_of(look.goals)):
        trace["hovertemplate"] = _hover(axes, place, group, words=window is None)
    if place.is_above and is_front and axes.are_of(look.goals):
        trace.update(_JOINED)
    if place.is_above and (is_front or look.bars):
        trace.update(intervals(place.trials, axes, MARKS[group].colour))
    return trace


_JOINED: Mapping[str, object] = {
    "mode": "lines+markers",
    "line": {"shape": "hv", "width": 2, "color": MARKS["front"].colour},
}


def _points(group: Group, place: _Place, *, crowded: bool) -> dict[str, object]:
    mark = MARKS[group]
    return {
        "meta": group,
        "legendgroup": group,
        "x": place.x,
        "y": place.y,
        "xaxis": place.axes[0],
        "yaxis": place.axes[1],
        "mode": "markers",
        "marker": {
            "symbol": mark.symbol,
            "size": round(mark.size * SMALL) if crowded else mark.size,
            "color": mark.colour,
        },
        "opacity": 1.0 if group == "front" else 0.45 if crowded else 0.85,
        "customdata": np.array([trial.number for trial in place.trials], dtype=np.int32),
    }


def _said(group: Group, trials: Sequence[Trial], goals: Goals) -> dict[str, object]:
    # An array, as Plotly looks at each entry of a list three times.
    texts = np.array([brief(trial, group, goals) for trial in trials], dtype=object)
    return {"hovertext": texts, "hoverinfo": "text"}


def _mark_knee(figure: go.Figure, trial: Trial, axes: Axes) -> None:
    figure.add_scatter(
        name="knee",
        x=[value_of(trial, axes.x)],
        y=[value_of(trial, axes.y)],
        mode="markers",
        marker={"symbol": "circle-open", "size": 22, "color": INK, "line": {"width": 2}},
        hoverinfo="skip",
    )


def _mark_starts(figure: go.Figure, trials: Sequence[Trial], axes: Axes) -> None:
    """A star around each network that the search was told to start from."""
    starts = [trial for trial in trials if trial.start is not None]
    x, y = all_seen(starts, axes.x), all_seen(starts, axes.y)
    above = ~np.isnan(x + y)
    if above.any():
        figure.add_scatter(
            name=f"started from ({above.sum()})",
            x=x[above],
            y=y[above],
            mode="markers",
            marker={"symbol": "star-open", "size": 20, "color": INK, "line": {"width": 1.5}},
            hoverinfo="skip",
        )
