"""What was searched, on what and how; and what is wrong with a study, if anything is."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from typing import Any

from dash import Dash, Input, Output
from dash.development.base_component import Component
from dash.exceptions import PreventUpdate

from mbnas.dashboard.parts import html_place, panel, puts
from mbnas.dashboard.shown import ShownStudies
from mbnas.report.facts import Fact, facts, lead
from mbnas.report.words import escaped
from mbnas.search import Study

VIEW = "about"
SHOWN = 3


def layout() -> Component:
    """The view's parts."""
    return panel("about", "About this study", html_place("facts"))


def register(app: Dash, shown: ShownStudies) -> None:
    """Declares the view's callbacks."""
    puts(app, "facts")

    @app.callback(
        Output("facts-html", "data"),
        Input("version", "data"),
        Input("view", "value"),
        Input("study", "value"),
    )
    def drawn(_: Any, view: str, name: str) -> str:
        if view != VIEW:
            raise PreventUpdate
        return about(shown.known(name))


def about(study: Study) -> str:
    """Everything that the results depend on, and where the files lie, as HTML."""
    folder = study.folder
    files = Fact(
        "Files",
        (
            str(folder.path),
            "report: " + shlex.join(["mbnas", "report", str(folder.path)]),
            f"an ordinary Optuna study: {study.storage}",
        ),
    )
    terms = "".join(
        f"<div><dt>{escaped(one.term)}</dt>"
        + "".join(f"<dd>{escaped(line)}</dd>" for line in one.lines)
        + "</div>"
        for one in [*facts(study), files]
    )
    return f'<p class="lead">{escaped(lead(study))}</p><dl class="facts">{terms}</dl>'


def problems_said(problems: Sequence[str]) -> str:
    """What cannot be shown and why, as HTML; empty where all is well."""
    if not problems:
        return ""
    more = len(problems) - SHOWN
    lines = [*problems[:SHOWN], *([f"and {more:,} more"] if more > 0 else [])]
    said = "".join(f"<p>{escaped(line)}</p>" for line in lines)
    return f'<section class="notice"><h2>Not everything can be shown</h2>{said}</section>'
