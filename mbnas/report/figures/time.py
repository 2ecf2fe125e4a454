"""Where the time of a search went."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator

import plotly.graph_objects as go

from mbnas.report.groups import groups
from mbnas.report.style import MARKS, MUTED, PALE, Group, new_figure, say, striped
from mbnas.report.words import plural, span
from mbnas.search import Study

HEIGHT = 200
LINE_WIDTH = 54  # letters, of what fits a phone
UNITS = ((3600.0, "hours"), (60.0, "minutes"), (1.0, "seconds"))
_PARTS: dict[Group, tuple[str, str]] = {
    "front": ("trained, on the front", ""),
    "dominated": ("trained, dominated", "/"),
    "stopped": ("stopped at a rung", "\\"),
    "failed": ("failed", "x"),
    "untrained": ("untrained", "-"),
}


def time_figure(study: Study) -> go.Figure:
    """One bar: training by what became of it, and measuring; in words, what was spared."""
    parts = [part for part in _parts(study) if part[1] > 0]
    total = sum(seconds for _, seconds, _, _ in parts)
    if not parts:
        return say(new_figure(HEIGHT), "no time was recorded")
    unit, name = next((each for each in UNITS if total >= 2 * each[0]), UNITS[-1])
    lines = textwrap.wrap(spared(study), LINE_WIDTH)
    figure = new_figure(HEIGHT + 16 * len(lines))
    for label, seconds, colour, pattern in parts:
        figure.add_bar(
            name=f"{label}: {span(seconds)}",
            orientation="h",
            y=[""],
            x=[seconds / unit],
            width=0.8,
            marker={"color": colour, "pattern": striped(pattern)},
            hovertext=f"<b>{label}</b><br>{span(seconds)}, {seconds / total:.0%}",
            hoverinfo="text",
        )
    figure.update_layout(
        barmode="stack",
        margin={"l": 20, "b": 56 + 16 * len(lines)},
        xaxis={"title": {"text": f"{name} of work"}, "range": [0, total / unit]},
        yaxis={"visible": False, "fixedrange": True},
        legend={"traceorder": "normal"},
    )
    figure.add_annotation(
        text="<br>".join(lines),
        x=0,
        xref="paper",
        xanchor="left",
        y=0,
        yref="paper",
        yanchor="top",
        yshift=-48,
        align="left",
        showarrow=False,
        font={"size": 12, "color": MUTED},
    )
    return figure


def _parts(study: Study) -> Iterator[tuple[str, float, str, str]]:
    """Name, seconds, colour and pattern."""
    found = groups(study)
    for group, (name, pattern) in _PARTS.items():
        seconds = sum(trial.training_seconds for trial in found[group])
        yield name, seconds, MARKS[group].colour, pattern
    measuring = sum(trial.latency_seconds for trials in found.values() for trial in trials)
    yield "measuring latency", measuring, PALE, "."


def spared(study: Study) -> str:
    """What the search did not have to train, in a sentence."""
    saved = study.savings
    if not saved.parts:
        return "No training was spared."
    parts = ", ".join(f"{number:,} {name}" for name, number in saved.parts.items())
    return f"Spared: {parts}; {plural(saved.epochs, 'epoch')} in all."
