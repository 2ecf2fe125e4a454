"""Which choices the front prefers: each option's share, beside the search's and chance."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import plotly.graph_objects as go

from mbnas.report.groups import evaluated
from mbnas.report.style import BLUE, INK, PALE, new_figure, say
from mbnas.report.words import escaped
from mbnas.search import Study
from mbnas.space import Choice

ROW = 21  # pixels
LONGEST_LABEL = 19


@dataclass(frozen=True, slots=True)
class Shares:
    """One choice and how often each of its options was taken.

    Attributes:
        choice: The choice.
        on_front: Members of the front that took each option.
        searched: Evaluated trials that took each option.
    """

    choice: Choice
    on_front: tuple[int, ...]
    searched: tuple[int, ...]

    @property
    def preference(self) -> float:
        """How far the front's shares lie from equal ones: 0 to 1, total variation distance."""
        total = sum(self.on_front) or 1
        fair = 1 / len(self.on_front)
        return sum(abs(taken / total - fair) for taken in self.on_front) / 2


def shares(study: Study) -> list[Shares]:
    """Every choice of the space, the front's strongest preference first."""
    members, trials = study.front, evaluated(study)

    def counted(choice: Choice, taken: Sequence[object]) -> tuple[int, ...]:
        counts = Counter(taken)
        return tuple(counts[label] for label in choice.labels)

    found = [
        Shares(
            choice,
            counted(choice, [trial.params.get(choice.name) for trial in members]),
            counted(choice, [trial.params.get(choice.name) for trial in trials]),
        )
        for choice in study.space.choices
    ]
    return sorted(found, key=lambda each: -each.preference)


def choices_figure(study: Study, columns: int = 1) -> go.Figure:
    """Bars of each option's share: on the front, among evaluated trials, and by chance."""
    found = shares(study)
    if not study.front or not found:
        text = "no network is on the front yet" if found else "this space leaves nothing to choose"
        return say(new_figure(200), text)
    parts = _dealt(found, columns)
    rows = max(sum(_rows(each) for each in part) for part in parts)
    figure = new_figure(round(ROW * rows) + 110)
    figure.update_layout(barmode="overlay", bargap=0, margin={"l": 138, "r": 24, "t": 16, "b": 48})
    gap = 0.175
    width = (1 - gap * (len(parts) - 1)) / len(parts)
    for at, part in enumerate(parts):
        start = at * (width + gap)
        _add_column(figure, part, at, (start, start + width), rows)
    return figure


def _rows(each: Shares) -> float:
    return len(each.on_front) + 1.6  # a heading, and air below


def _dealt(found: Sequence[Shares], columns: int) -> list[list[Shares]]:
    """Columns of about the same height, read downwards."""
    height = sum(_rows(each) for each in found) / columns
    parts: list[list[Shares]] = [[]]
    filled = 0.0
    for each in found:
        if parts[-1] and len(parts) < columns and filled + _rows(each) / 2 > height:
            parts.append([])
            filled = 0.0
        parts[-1].append(each)
        filled += _rows(each)
    return parts


def _add_column(
    figure: go.Figure,
    part: Sequence[Shares],
    at: int,
    domain: tuple[float, float],
    rows: float,
) -> None:
    suffix = "" if at == 0 else str(at + 1)
    headings: list[tuple[float, str]] = []
    options: list[tuple[float, Shares, int]] = []
    top = 0.0
    for each in part:
        headings.append((top, f"<b>{_short(each.choice.name)}</b>"))
        options += [(top + 1 + row, each, row) for row in range(len(each.on_front))]
        top += _rows(each)
    labels = [(y, _short(each.choice.labels[row])) for y, each, row in options]
    ticks = sorted([*headings, *labels])
    figure.update_layout(
        {
            f"xaxis{suffix}": {
                "domain": domain,
                "range": [0, 1.12],
                "tickvals": [0, 0.25, 0.5, 0.75, 1],
                "tickformat": ".0%",
                "anchor": f"y{suffix}",
                "fixedrange": True,
            },
            f"yaxis{suffix}": {
                "range": [rows - 0.6, -0.8],
                "tickvals": [y for y, _ in ticks],
                "ticktext": [text for _, text in ticks],
                "showgrid": False,
                "ticklen": 6,
                "tickcolor": "rgba(0,0,0,0)",
                "anchor": f"x{suffix}",
                "fixedrange": True,
                "tickfont": {"size": 12, "color": INK},
            },
        }
    )
    _add_bars(figure, options, suffix, first=at == 0)


def _add_bars(
    figure: go.Figure, options: Sequence[tuple[float, Shares, int]], suffix: str, first: bool
) -> None:
    heights = [y for y, _, _ in options]
    front = [_share(each.on_front, row) for _, each, row in options]
    common = {
        "y": heights,
        "xaxis": f"x{suffix}",
        "yaxis": f"y{suffix}",
        "showlegend": first,
        "customdata": [
            [each.choice.name, str(each.choice.labels[row])] for _, each, row in options
        ],
        "hovertext": [_said(each, row) for _, each, row in options],
        "hoverinfo": "text",
    }
    searched = [_share(each.searched, row) for _, each, row in options]
    bars = {"orientation": "h", **common}
    figure.add_bar(
        name="among all evaluated", x=searched, width=0.74, marker={"color": PALE}, **bars
    )
    figure.add_bar(
        name="on the front",
        x=front,
        width=0.36,
        marker={"color": BLUE},
        **bars,
    )
    figure.add_scatter(
        name="by chance",
        x=[1 / len(each.on_front) for _, each, _ in options],
        mode="markers",
        marker={"symbol": "line-ns-open", "size": 13, "color": INK, "line": {"width": 1.5}},
        **common,
    )


def _share(taken: Sequence[int], row: int) -> float:
    return taken[row] / (sum(taken) or 1)


def _said(each: Shares, row: int) -> str:
    members, trials = sum(each.on_front), sum(each.searched)
    return "<br>".join(
        [
            f"<b>{escaped(each.choice.name)} = {escaped(each.choice.labels[row])}</b>",
            f"on the front {each.on_front[row]} of {members} ({_share(each.on_front, row):.0%})",
            f"among all evaluated {each.searched[row]} of {trials}"
            f" ({_share(each.searched, row):.0%})",
            f"by chance {1 / len(each.on_front):.0%}",
        ]
    )


def _short(text: object) -> str:
    plain = str(text)
    cut = plain if len(plain) <= LONGEST_LABEL else plain[: LONGEST_LABEL - 1] + "…"
    return escaped(cut)
