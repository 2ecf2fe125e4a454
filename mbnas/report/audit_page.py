"""An audit's report: what was held against what, and what to do."""

from __future__ import annotations

import math
from pathlib import Path

import pandas

from mbnas.analysis.agreement import LEAST_NETWORKS, Agreement
from mbnas.analysis.audit import GOOD_ENOUGH, Audit, Foretelling
from mbnas.errors import StudyError
from mbnas.files import write_atomically
from mbnas.report.document import document, header, plot, section, tile
from mbnas.report.figures.audit import NAMES, agreement_figure, brief_and_full_figure
from mbnas.report.tables import Column, table
from mbnas.report.words import QUANTITIES, escaped, plural, tau, tau_interval

_FOOTER = (
    "Made by mbnas. Accuracies are of the validation part. The figures lie beside this file as"
    " <code>audit.csv</code>, and every curve under <code>trainings/</code>."
)


def write_audit_report(audit: Audit, folder: str | Path, name: str) -> Path:
    """Writes `audit.html`, one file that works offline, and `audit.csv` into a folder.

    Returns:
        The HTML file.

    Raises:
        StudyError: they cannot be written.
    """
    path = Path(folder) / "audit.html"
    try:
        content = audit_dataframe(audit).to_csv(index=False, lineterminator="\n")
        write_atomically(path.with_suffix(".csv"), content.encode())
        write_atomically(path, audit_page(audit, name).encode())
    except OSError as error:
        raise StudyError(f"{path}: the report cannot be written ({error.strerror})") from None
    return path


def audit_dataframe(audit: Audit) -> pandas.DataFrame:
    """One row for everything that was held against the final order, and one for two seeds."""
    rows: list[dict[str, object]] = [
        {
            "kind": one.kind,
            "name": one.name,
            "epochs": one.epochs,
            "share": one.share,
            **_figures(one.overall),
            "tau_best_quarter": one.best.tau,
            "networks_best_quarter": one.best.networks,
            "seconds": one.seconds,
            "recommended": one is audit.recommended,
        }
        for one in audit.foretellings
    ]
    two_seeds = {"kind": "ceiling", "name": "two seeds", "epochs": audit.epochs, "share": 1.0}
    frame = pandas.DataFrame(
        [*rows, {**two_seeds, **_figures(audit.ceiling), "recommended": False}]
    )
    return frame.astype({"networks_best_quarter": "Int64"})  # which two seeds have none of


def _best_count(audit: Audit) -> int:
    return audit.foretellings[0].best.networks if audit.foretellings else 0


def _figures(found: Agreement) -> dict[str, float]:
    return {
        "networks": found.networks,
        "tau": found.tau,
        "tau_low": found.low,
        "tau_high": found.high,
    }


def verdict(audit: Audit) -> str:
    """What to do, in a sentence."""
    best = audit.recommended
    if not audit.networks:
        return "Every network failed in one of its trainings; the files under trainings/ say why."
    if not audit.has_order:
        return _without_order(audit)
    if best is None:
        return (
            "Nothing shorter than the full training orders these networks well enough; train them"
            f" for {plural(audit.epochs, 'epoch')}, or widen the validation part."
        )
    what = (
        f"Train each network for {plural(best.epochs, 'epoch')}"
        if best.kind == "schedule"
        else f"Train by the full schedule and look at epoch {best.epochs}"
    )
    free = max(
        (one for one in audit.foretellings if one.kind == "cost"), key=lambda one: one.overall.tau
    )
    without = (
        f" But {free.name} alone foretell it as well, by {_interval(free.overall)}: of these"
        " networks, the larger are the better."
        if free.overall.tau >= best.overall.tau
        else ""
    )
    return (
        f"{what}: {best.share:.0%} of the full training keeps an order of τ"
        f" {_interval(best.overall)}, where two seeds agree by {_interval(audit.ceiling)}.{without}"
    )


def _without_order(audit: Audit) -> str:
    """Why nothing can be recommended."""
    ceiling = audit.ceiling
    if ceiling.networks < 2:
        return (
            "Fewer than two networks came to the end of both full trainings: how far two seeds"
            " agree cannot be told. The files under trainings/ say why the others failed."
        )
    if math.isnan(ceiling.tau):
        return (
            "By one seed at least, all networks that were trained twice ended alike: there is no"
            " order to foretell. Widen the space or the validation part, or train longer."
        )
    if ceiling.networks < LEAST_NETWORKS:
        return (
            f"{ceiling.networks} networks came to the end of both full trainings, too few to tell"
            f" how far two seeds agree. Train at least {LEAST_NETWORKS} with a second seed: the"
            " same audit goes on with more."
        )
    return (
        f"Two seeds of the same networks agree by τ {_interval(ceiling)}, which is little or may be"
        " chance: these networks are too alike, the validation part is too small, or too few were"
        " trained twice, to show an order that could be foretold. Widen the space or the"
        " validation part, train longer, or train more of them with a second seed: the same audit"
        " goes on with more."
    )


def audit_page(audit: Audit, name: str) -> str:
    """The whole document."""
    best = audit.recommended
    tiles = [
        tile("networks", f"{len(audit.networks)}", f"trained for {audit.epochs} epochs"),
        tile(
            "two seeds agree", f"τ {tau(audit.ceiling.tau)}", f"{audit.ceiling.networks} networks"
        ),
        tile(
            "recommended",
            "–" if best is None else best.name,
            "" if best is None else f"τ {best.overall.tau:.2f}, {best.share:.0%} of the cost",
        ),
    ]
    sections = [
        section("verdict", "What to do", f"<p>{escaped(verdict(audit))}</p>"),
        section("agreement", "How early the order shows", _agreement(audit)),
        section("pairs", "Brief against full", _pairs(audit)),
        section("table", "Every figure", _table(audit)),
    ]
    return document(
        f"{name} · mbnas audit",
        header("Audit of a training recipe", name, _lead(audit), "".join(tiles)),
        "\n".join(sections),
        _FOOTER,
        plots=True,
    )


def _lead(audit: Audit) -> str:
    return (
        f"How well what is known early foretells the {QUANTITIES[audit.quality].noun} that"
        f" {plural(len(audit.networks), 'network')} reach after {audit.epochs} epochs."
    )


def _agreement(audit: Audit) -> str:
    caption = (
        "Kendall’s τ: 1 is the same order, 0 none in common. Bars are 95% bootstrap intervals over"
        " the networks. Band: how far two seeds of the same networks agree, the most that can be"
        f" expected of another seed; dashed: {GOOD_ENOUGH} of it. Accuracy in the middle of a run"
        " shares that run’s luck with its end, so it may come out above the band. A short schedule"
        " starts from the full one’s seed, with the same weights, and may share some of it too."
        f" Of fewer than {LEAST_NETWORKS} networks no interval is said, for none would hold."
    )
    return plot("agreement", agreement_figure(audit), caption)


def _pairs(audit: Audit) -> str:
    caption = (
        "Each mark is a network. A good brief training puts the marks on one rising line; how far"
        " the open ones, two full trainings, scatter about theirs is what chance alone does."
    )
    return plot("pairs", brief_and_full_figure(audit), caption)


def _table(audit: Audit) -> str:
    columns = (
        Column("what", figures=False),
        Column("kind", figures=False),
        Column("epochs"),
        Column("cost"),
        Column("τ"),
        Column("95% interval"),
        Column(f"τ, best {_best_count(audit)}"),
        Column("seconds a network"),
    )
    return table(
        "audit-table",
        f"Agreement with the order after {audit.epochs} epochs",
        columns,
        [_row(one, one is audit.recommended) for one in audit.foretellings],
    )


def _row(one: Foretelling, recommended: bool) -> list[str]:
    note = ' <span class="note">recommended</span>' if recommended else ""
    return [
        f"{escaped(one.name)}{note}",
        NAMES[one.kind],
        str(one.epochs),
        f"{one.share:.0%}",
        tau(one.overall.tau, 3),
        tau_interval(one.overall),
        tau(one.best.tau),
        f"{one.seconds:.1f}",
    ]


def _interval(found: Agreement) -> str:
    return f"{tau(found.tau)} ({tau_interval(found)})"
