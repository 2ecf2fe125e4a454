"""What is said of one network, and of two side by side, as HTML."""

from __future__ import annotations

from collections.abc import Mapping

from mbnas.report.diagram import diagram
from mbnas.report.groups import knee_of, origin, seen_accuracy, value_of
from mbnas.report.tables import Column, table
from mbnas.report.words import QUANTITIES, amount, count, digits, escaped, interval, percent
from mbnas.search import Study, Trial

NEIGHBOURS = 6
QUANTITIES_SHOWN = (
    "accuracy",
    "balanced_accuracy",
    "latency_ms",
    "p90_ms",
    "params",
    "macs",
    "size_bytes",
    "resolution",
    "training_seconds",
)


def network_page(study: Study, trial: Trial) -> str:
    """One network: how it did, what it costs, its drawing, and its nearest neighbours."""
    classes = len(study.record.data.classes)
    return (
        f"<h3>{_title(study, trial)}</h3>{_notes(study, trial)}{_figures(trial)}"
        f"<div class='opened'>{diagram(trial.architecture, classes)}</div>"
        f"{_neighbours(study, trial)}"
    )


def comparison(study: Study, first: Trial, second: Trial) -> str:
    """Two networks side by side, what differs marked."""
    classes = len(study.record.data.classes)
    drawn = "".join(
        f"<div><h3>{_title(study, trial)}</h3>{diagram(trial.architecture, classes)}</div>"
        for trial in (first, second)
    )
    names = list(dict.fromkeys([*first.params, *second.params]))
    quantities = [name for name in QUANTITIES_SHOWN if name not in names]
    rows = [[QUANTITIES[name].noun, *_amounts(name, first, second)] for name in quantities]
    rows += [
        _row(name, first.params.get(name, "–"), second.params.get(name, "–")) for name in names
    ]
    columns = (
        Column("what"),
        Column(f"trial {first.number}"),
        Column(f"trial {second.number}"),
        Column("", figures=False),
    )
    differing = sum(first.params.get(name) != second.params.get(name) for name in names)
    caption = f"{differing} of {len(names)} choices differ"
    return f'<div class="drawn">{drawn}</div>{table("pinned-table", caption, columns, rows)}'


def _title(study: Study, trial: Trial) -> str:
    parts = [f"trial {trial.number}"]
    if trial in study.front:
        parts.append("the knee of the front" if trial is knee_of(study) else "on the front")
    else:
        parts.append("dominated" if trial.status == "trained" else trial.status)
    return escaped(" · ".join(parts))


def _notes(study: Study, trial: Trial) -> str:
    notes = [note for note in (origin(trial), trial.reason) if note]
    if trial.reused_from is not None:
        notes.append(f"the same network as trial {trial.reused_from}")
    if trial.status == "stopped" and trial.curve:
        seen = percent(seen_accuracy(trial, study.record.goals.quality))
        notes.append(f"{seen} after {len(trial.curve)} epochs")
    if trial.expected_accuracy is not None and trial.accuracy is None:
        notes.append(f"expected to end at about {percent(trial.expected_accuracy)}")
    return "".join(f"<p class='note'>{escaped(note)}</p>" for note in notes)


def _figures(trial: Trial) -> str:
    noisy = " (noisy)" if trial.latency is not None and trial.latency.noisy else ""
    said = {QUANTITIES[name].noun: figure(trial, name) for name in QUANTITIES_SHOWN}
    said["latency, 95% interval"] = f"{interval(trial)} ms{noisy}" if trial.latency else "–"
    said["id"] = trial.architecture.id
    terms = "".join(
        f"<div><dt>{escaped(term)}</dt><dd>{escaped(value)}</dd></div>"
        for term, value in said.items()
    )
    return f'<dl class="figures">{terms}</dl>'


def figure(trial: Trial, quantity: str) -> str:
    """A quantity's value under its own name, which says the unit of what is counted."""
    value = value_of(trial, quantity)
    return count(value) if value and quantity in ("params", "macs") else amount(quantity, value)


def _neighbours(study: Study, trial: Trial) -> str:
    """The evaluated networks that differ in the fewest choices, and what that changed."""
    found = nearest(study, trial)
    if not found:
        return ""
    quality, cost = study.record.goals.quantities
    columns = (
        Column("trial"),
        Column(QUANTITIES[quality].noun),
        Column(QUANTITIES[cost].noun),
        Column("differs in", figures=False),
    )
    rows = [
        [
            f'<button type="button" data-trial="{other.number}">{other.number}</button>',
            _change(value_of(trial, quality), value_of(other, quality), points=True),
            _change(value_of(trial, cost), value_of(other, cost), points=False),
            f"<div class='note'>{escaped(_differences(trial.params, other.params))}</div>",
        ]
        for other in found
    ]
    return table("neighbours-table", "Its nearest neighbours, and what they change", columns, rows)


def nearest(study: Study, trial: Trial) -> list[Trial]:
    """Trained networks by how many choices they differ in, then by number."""
    if not trial.params:
        return []
    items = trial.params.items()
    others = (
        (sum(other.params.get(name) != label for name, label in items), other.number, other)
        for other in study.trials
        if other.status == "trained" and other.number != trial.number and other.params
    )
    ranked = sorted(others, key=lambda entry: entry[:2])
    return [other for _, _, other in ranked[:NEIGHBOURS]]


def _differences(mine: Mapping[str, object], theirs: Mapping[str, object]) -> str:
    changed = [f"{name} {theirs.get(name)}" for name in mine if mine[name] != theirs.get(name)]
    more = f" and {len(changed) - 4} more" if len(changed) > 4 else ""
    return (", ".join(changed[:4]) + more) or "nothing named"


def _change(mine: float | None, theirs: float | None, *, points: bool) -> str:
    if mine is None or theirs is None:
        return "–"
    change = 100 * (theirs - mine) if points else 100 * (theirs / mine - 1) if mine else 0.0
    return f"{change:+.2f}" if points else f"{change:+.1f}%"


def _amounts(quantity: str, first: Trial, second: Trial) -> list[str]:
    shown = [escaped(figure(trial, quantity)) for trial in (first, second)]
    values = value_of(first, quantity), value_of(second, quantity)
    ratio = ""
    if None not in values and values[0] and values[0] != values[1]:
        ratio = f"× {digits((values[1] or 0.0) / (values[0] or 1.0))}"
    return [*shown, ratio]


def _row(name: str, mine: object, theirs: object) -> list[str]:
    if mine == theirs:
        return [escaped(name), escaped(mine), escaped(theirs), ""]
    shown = [f"<mark>{escaped(label)}</mark>" for label in (mine, theirs)]
    return [escaped(name), *shown, "differs"]
