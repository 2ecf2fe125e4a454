"""The report's tables: the front, and every trial."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from mbnas.report.groups import groups, knee_of, origin
from mbnas.report.style import MARKS
from mbnas.report.words import amount, count, digits, escaped, interval, percent, size
from mbnas.search import Study, Trial


@dataclass(frozen=True, slots=True)
class Column:
    """A column's heading and whether it holds figures, which stand flush right."""

    heading: str
    figures: bool = True


_MEASURES = (
    Column("accuracy"),
    Column("balanced"),
    Column("latency, ms"),
    Column("95% interval"),
    Column("p50, ms"),
    Column("p90, ms"),
    Column("params"),
    Column("MACs"),
    Column("size"),
    Column("image"),
)


def front_table(study: Study) -> str:
    """The front's members from cheap to costly, as HTML."""
    columns = (Column("trial"), *_MEASURES, Column("architecture", figures=False))
    best = knee_of(study)
    rows = [
        [_shown(trial, trial is best), *_measures(trial), _network(trial)] for trial in study.front
    ]
    caption = "The front, from cheap to costly"
    return table("front-table", caption, columns, rows)


def trials_table(study: Study, trials: Sequence[Trial], caption: str) -> str:
    """Trials in their order, reused ones with their source, as HTML."""
    columns = (
        Column("trial"),
        Column("outcome", figures=False),
        *_MEASURES,
        Column("architecture", figures=False),
    )
    found = groups(study)
    names = {trial.number: mark.name for group, mark in MARKS.items() for trial in found[group]}
    rows = [
        [
            str(trial.number),
            outcome(trial, names.get(trial.number)),
            *_measures(trial),
            _network(trial),
        ]
        for trial in sorted(trials, key=lambda trial: trial.number)
    ]
    return table("trials-table", caption, columns, rows)


def outcome(trial: Trial, group: str | None) -> str:
    """What became of a trial and what is to be known of it, as HTML."""
    said = group or f"reused from {trial.reused_from}"
    notes = [note for note in (origin(trial), trial.reason) if note]
    return said + "".join(f'<div class="note">{escaped(note)}</div>' for note in notes)


def _shown(trial: Trial, is_knee: bool) -> str:
    """The trial's number, as a button that shows it in the plot."""
    note = ' <span class="note">knee</span>' if is_knee else ""
    return (
        f'<button type="button" data-trial="{trial.number}"'
        f' aria-label="show trial {trial.number} in the plot">{trial.number}</button>{note}'
    )


def _measures(trial: Trial) -> list[str]:
    latency, costs = trial.latency, trial.costs
    noisy = ' <abbr title="noisy measurement">~</abbr>' if latency and latency.noisy else ""
    return [
        percent(trial.accuracy),
        percent(trial.balanced_accuracy),
        (digits(latency.latency_ms) if latency else "–") + noisy,
        interval(trial),
        digits(latency.p50_ms) if latency else "–",
        digits(latency.p90_ms) if latency else "–",
        count(costs.params),
        count(costs.macs),
        size(costs.size_bytes),
        amount("resolution", costs.resolution),
    ]


def _network(trial: Trial) -> str:
    stages = len(trial.architecture.stages)
    return (
        f"<details><summary>{stages} {'stage' if stages == 1 else 'stages'}</summary>"
        f"<pre>{escaped(trial.architecture.describe())}\nid {trial.architecture.id}</pre></details>"
    )


def table(name: str, caption: str, columns: Sequence[Column], rows: Sequence[Sequence[str]]) -> str:
    """A table that scrolls sideways in its own box; cells are HTML already."""
    kinds = ["" if column.figures else ' class="words"' for column in columns]
    heads = "".join(
        f'<th scope="col"{kind}>{column.heading}</th>'
        for column, kind in zip(columns, kinds, strict=True)
    )
    lines = []
    for first, *rest in rows:
        cells = "".join(
            f"<td{kind}>{cell}</td>" for cell, kind in zip(rest, kinds[1:], strict=True)
        )
        lines.append(f'<tr><th scope="row">{first}</th>{cells}</tr>')
    body = "\n".join(lines)
    return (
        f'<div class="scroll" role="region" aria-labelledby="{name}-caption" tabindex="0">'
        f'<table id="{name}"><caption id="{name}-caption">{escaped(caption)}</caption>'
        f"<thead><tr>{heads}</tr></thead>\n<tbody>{body}</tbody></table></div>"
    )
