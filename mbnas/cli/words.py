"""What the verbs print alike."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

import mbnas
from mbnas.cli.output import lasting_output
from mbnas.search import Feasibility, Savings
from mbnas.search.front import has_knee

WIDE = 120
"""Columns of a terminal from which the architecture's lines fit beside the figures."""


def duration(seconds: float) -> str:
    """A time in words: `45 s`, `12 min`, `3 h 20 min`."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    if minutes < 90:
        return f"{minutes} min"
    return f"{minutes // 60} h {minutes % 60} min"


def front_table(study: mbnas.Study) -> None:
    """Prints a study's front, from cheap to costly."""
    members = study.front
    if not members:
        print(f"no network has finished within the limits ({len(study.trials)} trials)")
        return
    goals = study.record.goals
    knee = mbnas.knee(members, goals) if has_knee(members, goals) else None
    console = Console()
    wide = console.width >= WIDE
    table = Table(
        box=SIMPLE_HEAD,
        pad_edge=False,
        collapse_padding=True,
        title=f"The front: {len(members)} of {len(study.trials)} trials",
    )
    quality = goals.quality
    for name in ("trial", quality.replace("_", " "), "latency ms", "p50", "params", "MACs", "px"):
        table.add_column(name, justify="right")
    table.add_column("architecture" if wide else "id", no_wrap=True)
    for trial in members:
        latency = trial.latency
        stages = trial.architecture.describe().splitlines()[1:-1]
        table.add_row(
            f"{trial.number}{' knee' if trial is knee else ''}",
            f"{trial.value(quality):.4f}",
            "–" if latency is None else f"{latency.latency_ms:.3f}{' ~' if latency.noisy else ''}",
            "–" if latency is None else f"{latency.p50_ms:.3f}",
            f"{trial.costs.params / 1e6:.3f} M",
            f"{trial.costs.macs / 1e6:.2f} M",
            str(trial.costs.resolution),
            "\n".join(stages) if wide else trial.architecture.id,
        )
    console.print(table)
    console.print(f"hypervolume {study.hypervolume:.4f}   (~ a noisy latency)", highlight=False)


def savings_said(saved: Savings) -> str:
    """`12 trainings, 96 epochs in all (8 known from other studies, 4 repeats)`."""
    from mbnas.report.words import plural  # with it comes plotly, which takes a second

    parts = ", ".join(f"{number} {name}" for name, number in saved.parts.items())
    said = f"{plural(saved.trainings, 'training')}, {plural(saved.epochs, 'epoch')} in all"
    return said + (f" ({parts})" if parts else "")


def checking_said(limits: Sequence[mbnas.Limit]) -> str:
    """What happens before a study with limits begins."""
    names = ", ".join(f"{limit.quantity} ≤ {limit.most:g}" for limit in limits)
    return f"looking what {names} leaves of the space: some networks are tried"


def limit_said(found: Feasibility) -> str:
    """What a limit leaves of a space: `latency_ms ≤ 2: about 30 % of the space; ...`."""
    return (
        f"limit {found.limit.quantity} ≤ {found.limit.most:g}: about {found.share:.0%} of the"
        f" space; the cheapest found needs {found.value:.4g}"
    )


@contextlib.contextmanager
def goes_on_with(folder: Path) -> Iterator[None]:
    """Tells who interrupts what is done inside that nothing is lost.

    It goes on where its words cannot be written any more.
    """
    try:
        with lasting_output():
            yield
    except KeyboardInterrupt:
        said = f"stopped; nothing is lost. The same command goes on with {folder}"
        raise KeyboardInterrupt(said) from None


class SaysItWaits:
    """Of an observer: says once why nothing happens."""

    _waited = False

    def waits_for_cores(self) -> None:
        """Another mbnas keeps the cores."""
        if not self._waited:
            self._waited = True
            waiting_for_cores()


def waiting_for_cores() -> None:
    """Says why nothing happens: trainings and measurements share the cores by turns."""
    print("waiting for the cores: a measurement or a training of mbnas goes first", flush=True)
