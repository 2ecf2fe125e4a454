"""A study's report, section by section."""

from __future__ import annotations

from collections.abc import Sequence

from mbnas.report import captions
from mbnas.report.contest_page import contest_sections
from mbnas.report.detail import texts, trials_html
from mbnas.report.diagram import diagram
from mbnas.report.document import data, document, figure_json, header, notice, plot, section, tile
from mbnas.report.facts import Fact, facts, lead, summary
from mbnas.report.figures import (
    choices_figure,
    curves_figure,
    front_figure,
    hypervolume_figure,
    importance_figure,
    latency_figure,
    parallel_figure,
    time_figure,
)
from mbnas.report.figures.parallel import NARROW_AXES
from mbnas.report.groups import spread
from mbnas.report.tables import front_table
from mbnas.report.words import QUANTITIES, amount, escaped, plural
from mbnas.search import Study, knee

NAMED = 3
"""Of the trials that are left out, those whose reasons are said."""
WIDE_COLUMNS = 2
COMPARED = 10
_FOOTER = """Made by mbnas. Accuracy is of the validation part, which the search has seen; only
confirming the front opens the test part. The tables lie beside this file as
<code>{}</code> and <code>{}</code>."""
TABLES = ("front.csv", "trials.csv")
"""Of the front and of all trials, beside `report.html`."""


def page(study: Study, tables: tuple[str, str] = TABLES, left_out: Sequence[str] = ()) -> str:
    """The whole document.

    Args:
        study: The study.
        tables: Names of the two tables beside it.
        left_out: Why some trials are not in it, a line each.
    """
    tiles = "".join(tile(fact.term, *fact.lines) for fact in summary(study))
    name = study.record.name
    return document(
        f"{name} · mbnas report",
        header("Architecture search report", name, lead(study), tiles),
        _left_out(left_out) + _sections(study),
        _FOOTER.format(*map(escaped, tables)),
        plots=bool(study.trials),
    )


def _left_out(lines: Sequence[str]) -> str:
    if not lines:
        return ""
    more = f"; and {len(lines) - NAMED:,} more" if len(lines) > NAMED else ""
    return notice("Not everything can be shown", "; ".join(lines[:NAMED]) + more)


def _fact(fact: Fact) -> str:
    lines = "".join(f"<dd>{escaped(line)}</dd>" for line in fact.lines)
    return f"<div><dt>{escaped(fact.term)}</dt>{lines}</div>"


def _sections(study: Study) -> str:
    rows = "".join(_fact(fact) for fact in facts(study))
    setting = section("setting", "What was searched", f'<dl class="facts">{rows}</dl>')
    if not study.trials:
        text = "No trial of this study has finished. Let the search run, then write it again."
        return notice("No trials yet", text) + setting
    noun = QUANTITIES[study.record.goals.cost].noun
    front = plot("front", front_figure(study), captions.front_caption(study))
    front += _PICKED + data("front-texts", texts(study))
    parts = [
        *contest_sections(study),
        section("front", f"Accuracy and {noun} of every network", front),
    ]
    if study.front:
        parts += _front_sections(study)
    else:
        text = (
            f"None of the {plural(len(study.trials), 'trial')} was trained to its end within the"
            " limits. The table of all trials says how each ended."
        )
        parts.append(notice("No front yet", text))
    return "\n".join([*parts, setting, section("trials", "Every trial", trials_html(study))])


def _front_sections(study: Study) -> list[str]:
    choices = plot("choices", choices_figure(study), captions.choices_caption(study))
    choices += data("choices-wide", figure_json(choices_figure(study, WIDE_COLUMNS)))
    growth = plot("hypervolume", hypervolume_figure(study), captions.hypervolume_caption(study))
    curves = plot("curves", curves_figure(study), captions.curves_caption(study))
    return [
        section("networks", "The front as a table", front_table(study)),
        section("drawn", "The front’s networks, drawn", _drawn(study)),
        section("growth", "How the front grew", growth),
        section("preferences", "Which choices the front prefers", choices),
        section("learned", "What the search learned", _learned(study)),
        section("training", "How the front's networks learned", curves),
    ]


def _learned(study: Study) -> str:
    """What matters, how the front runs through the choices, where the time went."""
    parts = [
        plot("importance", importance_figure(study), captions.importance_caption(study)),
        plot("parallel", parallel_figure(study, NARROW_AXES), captions.parallel_caption(study)),
        data("parallel-wide", figure_json(parallel_figure(study))),
        plot("time", time_figure(study), captions.time_caption(study)),
    ]
    best = knee(study.front, study.record.goals)
    if best.latency is not None:
        others = [one for one in spread(study.front, COMPARED) if one is not best]
        figure = latency_figure(best, others)
        parts.append(plot("latency", figure, captions.latency_caption(best)))
    return "\n".join(parts)


def _drawn(study: Study) -> str:
    """A picture of each member of the front, from cheap to costly."""
    goals, classes = study.record.goals, len(study.record.data.classes)
    cards = []
    for trial in study.front:
        said = ", ".join(amount(name, trial.value(name)) for name in goals.quantities)
        cards.append(
            f"<div><h3>trial {trial.number} · {escaped(said)}</h3>"
            f"{diagram(trial.architecture, classes)}</div>"
        )
    return (
        f'<p class="hint">{escaped(captions.DRAWN)}</p>'
        '<div class="drawn" role="region" aria-label="networks" tabindex="0">'
        f"{''.join(cards)}</div>"
    )


_PICKED = (
    '<output id="picked" aria-live="polite" hidden></output>'
    '<p class="hint">Point at a network to see what it is, click to keep it in view, drag to zoom.'
    " With the keyboard: focus the plot, then step along the front with ← and →.</p>"
)
