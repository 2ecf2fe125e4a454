"""The report as one HTML file that asks nothing of any other host."""

from __future__ import annotations

import base64
import hashlib
import json
from importlib import resources

import plotly.graph_objects as go
from plotly.offline import get_plotlyjs

from mbnas.report import captions
from mbnas.report.facts import Fact, facts, lead, summary
from mbnas.report.figures import choices_figure, curves_figure, front_figure, hypervolume_figure
from mbnas.report.style import DARK
from mbnas.report.tables import front_table, trials_table
from mbnas.report.words import QUANTITIES, escaped, plural
from mbnas.search import Study

WIDE_COLUMNS = 2


def page(study: Study) -> str:
    """The whole document."""
    # Hashes of the scripts, not the words "any inline script", so that none but ours can run.
    plotly = [get_plotlyjs().replace("\r\n", "\n")] if study.trials else []
    scripts = [*plotly, _file("page.js")]
    allowed = " ".join(f"'sha256-{_hash(script)}'" for script in scripts)
    policy = (
        f"default-src 'none'; script-src {allowed}; style-src 'unsafe-inline';"
        " img-src data: blob:; base-uri 'none'; form-action 'none'"
    )
    title = escaped(study.record.name)
    code = "\n".join(f"<script>{script}</script>" for script in scripts)
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="generator" content="mbnas {escaped(study.record.versions.get("mbnas", ""))}">
<link rel="icon" href="data:,">
<title>{title} · mbnas report</title>
<style>{_file("page.css")}</style>
</head>
<body>
<a class="skip" href="#main">Skip to the results</a>
{_header(study)}
<main id="main">
{_sections(study)}
</main>
<footer><p>Made by mbnas. Accuracy is of the validation part, which the search has seen; only
confirming the front opens the test part. The tables lie beside this file as
<code>front.csv</code> and <code>trials.csv</code>.</p></footer>
{_data("dark-colours", json.dumps(DARK))}
{code}
</body>
</html>
"""


def _header(study: Study) -> str:
    tiles = "".join(_tile(fact) for fact in summary(study))
    return (
        '<header><p class="kind">Architecture search report</p>'
        f"<h1>{escaped(study.record.name)}</h1>"
        f'<p class="lead">{escaped(lead(study))}</p>'
        f'<dl class="tiles">{tiles}</dl></header>'
    )


def _tile(fact: Fact) -> str:
    figure, note = fact.lines
    said = f'<strong>{escaped(figure)}</strong> <span class="note">{escaped(note)}</span>'
    return f"<div><dt>{escaped(fact.term)}</dt><dd>{said}</dd></div>"


def _fact(fact: Fact) -> str:
    lines = "".join(f"<dd>{escaped(line)}</dd>" for line in fact.lines)
    return f"<div><dt>{escaped(fact.term)}</dt>{lines}</div>"


def _sections(study: Study) -> str:
    rows = "".join(_fact(fact) for fact in facts(study))
    setting = _section("setting", "What was searched", f'<dl class="facts">{rows}</dl>')
    if not study.trials:
        text = "No trial of this study has finished. Let the search run, then write it again."
        return _notice("No trials yet", text) + setting
    noun = QUANTITIES[study.record.goals.cost].noun
    front = _figure("front", front_figure(study), captions.front_caption(study)) + _PICKED
    parts = [_section("front", f"Accuracy and {noun} of every network", front)]
    if study.front:
        parts += _front_sections(study)
    else:
        text = (
            f"None of the {plural(len(study.trials), 'trial')} was trained to its end within the"
            " limits. The table of all trials says how each ended."
        )
        parts.append(_notice("No front yet", text))
    trials = (
        f"<details><summary>Show all {len(study.trials):,} trials, with the reasons of those"
        f" that failed or were not trained</summary>{trials_table(study)}</details>"
    )
    return "\n".join([*parts, setting, _section("trials", "Every trial", trials)])


def _front_sections(study: Study) -> list[str]:
    choices = _figure("choices", choices_figure(study), captions.choices_caption(study))
    choices += _data("choices-wide", _json(choices_figure(study, WIDE_COLUMNS)))
    growth = _figure("hypervolume", hypervolume_figure(study), captions.hypervolume_caption(study))
    curves = _figure("curves", curves_figure(study), captions.curves_caption(study))
    return [
        _section("networks", "The front as a table", front_table(study)),
        _section("growth", "How the front grew", growth),
        _section("preferences", "Which choices the front prefers", choices),
        _section("training", "How the front's networks learned", curves),
    ]


_PICKED = (
    '<output id="picked" aria-live="polite" hidden></output>'
    '<p class="hint">Point at a network to see what it is, click to keep it in view, drag to zoom.'
    " With the keyboard: focus the plot, then step along the front with ← and →.</p>"
)


def _section(name: str, heading: str, content: str) -> str:
    return (
        f'<section id="{name}-section" aria-labelledby="{name}-heading">'
        f'<h2 id="{name}-heading">{heading}</h2>{content}</section>'
    )


def _notice(heading: str, text: str) -> str:
    return f'<section class="notice"><h2>{escaped(heading)}</h2><p>{escaped(text)}</p></section>'


def _figure(name: str, figure: go.Figure, caption: str) -> str:
    height = figure.layout.height
    # Only the front answers to keys; the others are pictures to a screen reader.
    role = 'role="group" tabindex="0"' if name == "front" else 'role="img"'
    return (
        f'<figure><div class="plot" id="{name}" style="min-height:{height}px"'
        f' {role} aria-labelledby="{name}-caption"></div>'
        f'<figcaption id="{name}-caption">{escaped(caption)}</figcaption></figure>'
        + _data(f"{name}-figure", _json(figure))
    )


def _json(figure: go.Figure) -> str:
    return str(figure.to_json(remove_uids=True))


def _data(name: str, text: str) -> str:
    """JSON that a script reads and that cannot end its element early."""
    text = text.replace("<", "\\u003c")
    return f'<script type="application/json" id="{name}">{text}</script>'


def _hash(script: str) -> str:
    return base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()


def _file(name: str) -> str:
    return resources.files("mbnas.report").joinpath(name).read_text(encoding="utf-8")
