"""The report's sections on baselines and on the confirmed front."""

from __future__ import annotations

from collections.abc import Iterable

from mbnas.analysis.baselines import Baselines
from mbnas.analysis.confirmation import Confirmation
from mbnas.analysis.versus import Versus
from mbnas.report.contest_words import (
    accuracy_said,
    against_said,
    confirmation_said,
    place_said,
    totals_said,
)
from mbnas.report.contests import contests
from mbnas.report.document import notice, plot, section
from mbnas.report.figures.contest import confirmation_figure
from mbnas.report.tables import Column, table
from mbnas.report.words import QUANTITIES, amount, count, escaped, percent, plural
from mbnas.search import Study


def contest_sections(study: Study) -> list[str]:
    """What is there: the confirmed front first, then the baselines of the search itself."""
    found = contests(study)
    parts = []
    if found.problem is not None:
        parts.append(notice("Confirmation and baselines cannot be read", found.problem))
    if found.confirmation is not None:
        title = "The confirmed front"
        parts.append(section("confirmed", title, _confirmed(found.confirmation)))
    if found.baselines is not None:
        parts.append(section("baselines", "Against baselines", _baselines(study, found.baselines)))
    return parts


def contest_summary(study: Study) -> str:
    """What came of it in words alone, as HTML; empty where there is nothing."""
    found = contests(study)
    if found.problem is not None:
        return f"<p>{escaped(found.problem)}</p>"
    cost, confirmed = study.record.goals.cost, found.confirmation
    if confirmed is not None:
        against = "" if confirmed.versus is None else _versus(confirmed.versus, cost)
        return f"<p>{escaped(confirmation_said(confirmed))}</p>{against}"
    if found.baselines is None or found.baselines.versus is None:
        return ""
    return _versus(found.baselines.versus, cost)


def _confirmed(found: Confirmation) -> str:
    opened = ", ".join(f"{one.opened:%Y-%m-%d %H:%M %Z}" for one in found.openings)
    said = (
        f"Trained for {plural(found.recipe.epochs, 'epoch')} with"
        f" {plural(len(found.seeds), 'seed')} each, and timed anew. The front is chosen by"
        f" validation accuracy; the test part was opened after that ({opened}) and is what the"
        " plot shows. Bars are the standard deviation between seeds and the 95% interval of the"
        f" {QUANTITIES[found.cost].noun}."
    )
    columns = (
        Column("network"),
        Column("brief"),
        Column("validation"),
        Column("test"),
        Column(QUANTITIES[found.cost].axis),
        Column("on the front"),
        Column("last fifth"),
        Column("place", figures=False),
    )
    rows = [
        [
            escaped(one.name),
            percent(one.brief),
            accuracy_said(one.validation),
            accuracy_said(one.test),
            amount(found.cost, one.cost),
            "–" if one.trial is None else f"{one.place_now.probability:.0%}",
            f"{100 * one.last_fifth:+.1f}",
            escaped(place_said(one)),
        ]
        for one in sorted(found.networks, key=lambda one: one.cost)
    ]
    caption = (
        "Every network that was confirmed. On the front: how likely, given the spread of accuracy"
        " and cost. Last fifth: points that the last fifth of the epochs brought,"
        f" a mean with a standard error of {100 * found.last_fifth_error:.1f}"
    )
    parts = [
        f"<p>{escaped(confirmation_said(found))}</p>",
        plot("confirmation", confirmation_figure(found), said),
        table("confirmed-table", caption, columns, rows),
    ]
    if found.failed:
        parts.append(_list(f"{one.contender.name}: failed: {one.failure}" for one in found.failed))
    if found.versus is not None:
        parts.append(_versus(found.versus, found.cost))
    return "\n".join(parts)


def _baselines(study: Study, found: Baselines) -> str:
    cost, quality = study.record.goals.cost, study.record.goals.quality
    columns = (
        Column("network"),
        Column(QUANTITIES[quality].noun),
        Column(QUANTITIES[cost].axis),
        Column("params"),
        Column("MACs"),
    )
    rows = [
        [
            escaped(one.contender.name),
            escaped(one.failure) if one.failure else percent(one.qualities(quality)[0]),
            amount(cost, one.cost(cost)),
            count(one.costs.params),
            count(one.costs.macs),
        ]
        for one in sorted(found.networks, key=lambda one: one.cost(cost))
    ]
    caption = "Published networks, trained and timed as the trials were, with one seed"
    parts = [table("baselines-table", caption, columns, rows)]
    if found.versus is not None:
        parts.append(_versus(found.versus, cost))
    if found.random is not None and found.versus_random is not None:
        said = "; ".join(totals_said(found.versus_random, cost, "a random search"))
        trials = plural(len(found.random.trials), "trial")
        parts.append(f"<p>Random search with as many epochs ({trials}): {escaped(said)}.</p>")
    return "\n".join(parts)


def _versus(found: Versus, cost: str) -> str:
    lines = [*(against_said(one, cost) for one in found.against), *totals_said(found, cost)]
    return _list(f"{line[0].upper() + line[1:]}." for line in lines)


def _list(lines: Iterable[str]) -> str:
    items = "".join(f"<li>{escaped(line)}</li>" for line in lines)
    return f"<ul>{items}</ul>"
