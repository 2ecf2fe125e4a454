"""One HTML file that asks nothing of any other host: the frame that every report has."""

from __future__ import annotations

import base64
import hashlib
import json
from importlib import resources
from importlib.metadata import version

import plotly.graph_objects as go
from plotly.offline import get_plotlyjs

from mbnas.report.style import DARK
from mbnas.report.words import escaped


def document(title: str, header: str, main: str, footer: str, *, plots: bool) -> str:
    """The whole document; `header`, `main` and `footer` are HTML."""
    # Hashes of the scripts, not the words "any inline script", so that none but ours can run.
    plotly = [get_plotlyjs().replace("\r\n", "\n")] if plots else []
    scripts = [*plotly, _file("page.js")]
    allowed = " ".join(f"'sha256-{_hash(script)}'" for script in scripts)
    policy = (
        f"default-src 'none'; script-src {allowed}; style-src 'unsafe-inline';"
        " img-src data: blob:; base-uri 'none'; form-action 'none'"
    )
    code = "\n".join(f"<script>{script}</script>" for script in scripts)
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="generator" content="mbnas {version("mbnas")}">
<link rel="icon" href="data:,">
<title>{escaped(title)}</title>
<style>{_file("page.css")}</style>
</head>
<body>
<a class="skip" href="#main">Skip to the results</a>
{header}
<main id="main">
{main}
</main>
<footer><p>{footer}</p></footer>
{data("dark-colours", json.dumps(DARK))}
{code}
</body>
</html>
"""


def header(kind: str, title: str, lead: str, tiles: str) -> str:
    """What kind of report, its name, one sentence, and a few figures."""
    return (
        f'<header><p class="kind">{escaped(kind)}</p>'
        f"<h1>{escaped(title)}</h1>"
        f'<p class="lead">{escaped(lead)}</p>'
        f'<dl class="tiles">{tiles}</dl></header>'
    )


def tile(term: str, figure: str, note: str) -> str:
    """One figure of the header."""
    said = f'<strong>{escaped(figure)}</strong> <span class="note">{escaped(note)}</span>'
    return f"<div><dt>{escaped(term)}</dt><dd>{said}</dd></div>"


def section(name: str, heading: str, content: str) -> str:
    """A part under its heading."""
    return (
        f'<section id="{name}-section" aria-labelledby="{name}-heading">'
        f'<h2 id="{name}-heading">{heading}</h2>{content}</section>'
    )


def notice(heading: str, text: str) -> str:
    """A part that says why there is nothing to see."""
    return f'<section class="notice"><h2>{escaped(heading)}</h2><p>{escaped(text)}</p></section>'


def plot(name: str, figure: go.Figure, caption: str) -> str:
    """A figure with its caption."""
    height = figure.layout.height
    # A group, as there are buttons in it; only the front answers to keys itself.
    focus = ' tabindex="0"' if name == "front" else ""
    return (
        f'<figure><div class="plot" id="{name}" style="min-height:{height}px"'
        f' role="group"{focus} aria-labelledby="{name}-caption"></div>'
        f'<figcaption id="{name}-caption">{escaped(caption)}</figcaption></figure>'
        + data(f"{name}-figure", figure_json(figure))
    )


def figure_json(figure: go.Figure) -> str:
    """A figure as the page's script takes it."""
    return str(figure.to_json(remove_uids=True))


def data(name: str, text: str) -> str:
    """JSON that a script reads and that cannot end its element early."""
    text = text.replace("<", "\\u003c")
    return f'<script type="application/json" id="{name}">{text}</script>'


def _hash(script: str) -> str:
    return base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()


def _file(name: str) -> str:
    return resources.files("mbnas.report").joinpath(name).read_text(encoding="utf-8")
