"""What was searched, on what and how: the report's head, as terms and sentences."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from mbnas.report.groups import evaluated, knee_of
from mbnas.report.words import QUANTITIES, amount, limit, plural
from mbnas.search import Study, Trial

_RAISED = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")


@dataclass(frozen=True, slots=True)
class Fact:
    """One term and what is to be said of it, as plain text, one line an entry."""

    term: str
    lines: tuple[str, ...]


def summary(study: Study) -> list[Fact]:
    """The few figures that a reader looks for first; the first line of each is the figure."""
    members, (quality, cost) = study.front, study.record.goals.quantities
    facts = [
        Fact("networks evaluated", (f"{len(evaluated(study)):,}", _outcomes(study))),
        Fact(
            "on the front", (f"{len(members):,}", "none is as good in one and better in the other")
        ),
    ]
    if members:
        named = {"most accurate": members[-1], "knee": knee_of(study), "cheapest": members[0]}
        facts += [
            Fact(name, (amount(quality, of.value(quality)), f"at {amount(cost, of.value(cost))}"))
            for name, of in named.items()
            if of is not None
        ]
    return facts


def _outcomes(study: Study) -> str:
    """What became of the networks, and how many trials repeated one."""

    def outcome(trial: Trial) -> str:
        if trial.status != "untrained":
            return trial.status
        return "left untrained" if trial.latency is None else "only timed"

    counts = Counter(map(outcome, study.trials))
    order = ("trained", "stopped", "only timed", "left untrained", "failed")
    said = [f"{counts[name]:,} {name}" for name in order if counts[name]]
    if counts["reused"]:
        said.append(f"and {plural(counts['reused'], 'repeat')} reused")
    return ", ".join(said) or "none yet"


def lead(study: Study) -> str:
    """The search in one sentence."""
    record = study.record
    return (
        f"Networks from the space {study.space.name} ({_points(study.space.size)}) for"
        f" {record.data.spec}, {plural(len(record.data.classes), 'class', 'classes')}:"
        f" high {QUANTITIES[record.goals.quality].noun} at low"
        f" {QUANTITIES[record.goals.cost].noun}."
    )


def facts(study: Study) -> list[Fact]:
    """Everything that the result depends on."""
    record, space = study.record, study.space
    return [
        Fact(
            "Search space",
            (space.name, f"{_points(space.size)} from {plural(len(space.choices), 'choice')}"),
        ),
        Fact("Goal", _goal(study)),
        _data(study),
        Fact("Training", _recipe(study)),
        Fact("Latency", _latency(study)),
        Fact("Trials", _statuses(study)),
        Fact("Stopping", _stopping(study)),
        Fact("Trainings saved", _saved(study)),
        Fact(
            "Sampler",
            (
                f"{record.sampler}, seed {record.seed}",
                f"created {record.created:%Y-%m-%d %H:%M %Z}",
            ),
        ),
        Fact("Versions", (", ".join(f"{name} {it}" for name, it in record.versions.items()),)),
    ]


def _points(size: int) -> str:
    if size < 1_000_000:
        return plural(size, "point")
    mantissa, exponent = f"{size:.1e}".split("e+")
    return f"{mantissa} × 10{exponent.lstrip('0').translate(_RAISED)} points"


def _goal(study: Study) -> tuple[str, ...]:
    goals = study.record.goals
    limits = [limit(bound) for bound in goals.limits]
    return (
        f"high {QUANTITIES[goals.quality].noun}, low {QUANTITIES[goals.cost].noun}",
        "limits: " + ", ".join(limits) if limits else "no limits",
    )


def _data(study: Study) -> Fact:
    data = study.record.data
    sizes = ", ".join(f"{size:,} {part}" for part, size in data.sizes.items())
    opened = len(study.record.test_openings)
    test = f"test part opened {plural(opened, 'time')}" if opened else "test part never opened"
    lines = (
        f"{data.spec}, {plural(len(data.classes), 'class', 'classes')}: {_some(data.classes)}",
        f"images: {sizes}",
        f"accuracy is of the validation part; {test}",
    )
    return Fact("Data", lines)


def _stopping(study: Study) -> tuple[str, ...]:
    if study.record.stopping == "none":
        return ("none: every network that met the limits was trained to its end",)
    return (
        f"{study.record.stopping}, at epochs"
        f" {', '.join(str(stop) for stop in study.record.recipe.stops[:-1]) or 'none'}",
    )


def _saved(study: Study) -> tuple[str, ...]:
    saved = study.savings
    parts = ", ".join(f"{number:,} {name}" for name, number in saved.parts.items())
    figure = f"{plural(saved.trainings, 'training')}, {plural(saved.epochs, 'epoch')} in all"
    return (figure, parts) if parts else (figure,)


def _some(names: tuple[str, ...], most: int = 10) -> str:
    left = len(names) - most
    return ", ".join(names[:most]) + (f" and {left} more" if left > 0 else "")


def _recipe(study: Study) -> tuple[str, ...]:
    recipe = study.record.recipe
    batch = str(recipe.batch_size or "chosen by size")
    optimizer = f"SGD, momentum {recipe.momentum:g}" if recipe.optimizer == "sgd" else "AdamW"
    own = {"cutout": recipe.cutout, "mixup": recipe.mixup, "average of weights": recipe.ema}
    started = ", begun with a similar network's weights" if study.record.warm_start else ""
    return (
        f"{plural(recipe.epochs, 'epoch')}, batch {batch}, {recipe.precision}{started}",
        f"{optimizer}, peak rate {recipe.peak_rate:g}, {recipe.decay} decay after"
        f" {recipe.warm_up:.0%} warm-up, weight decay {recipe.kernel_decay:g}, label smoothing"
        f" {recipe.label_smoothing:g}"
        + "".join(f", {name} {value:g}" for name, value in own.items() if value),
    )


def _latency(study: Study) -> tuple[str, ...]:
    host = study.record.host
    governor = f", governor {host.governor}" if host.governor else ""
    return (
        f"{host.cpu}, {plural(host.cores, 'core')}, {host.system}{governor}",
        f"ONNX Runtime {host.onnxruntime}, batch 1, {plural(host.threads, 'thread')};"
        " 20% quantile of undisturbed bursts' medians, scaled by a reference network",
    )


def _statuses(study: Study) -> tuple[str, ...]:
    words = {"untrained": "left untrained", "stopped": "stopped early"}
    counts = Counter[str](trial.status for trial in study.trials)
    order = ("trained", "untrained", "stopped", "failed", "reused")
    said = [f"{counts[status]:,} {words.get(status, status)}" for status in order if counts[status]]
    return (", ".join(said) or "none yet",)
