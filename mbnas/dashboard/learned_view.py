"""What the search learned: how the front grew, which choices matter, where the time went."""

from __future__ import annotations

from typing import Any

import plotly.graph_objects as go
from dash import Dash, Input, Output, State, dcc, html
from dash.development.base_component import Component
from dash.exceptions import PreventUpdate

from mbnas.dashboard.parts import draws, figure_place, html_place, labelled, panel, puts, sent
from mbnas.dashboard.shown import ShownStudies
from mbnas.report import captions
from mbnas.report.figures import choices_figure, curves_figure, front_figure, hypervolume_figure
from mbnas.report.figures.contest import EarlierStudy
from mbnas.report.figures.front import MANY, Window
from mbnas.report.figures.importance import importance_figure
from mbnas.report.figures.parallel import NARROW_AXES, parallel_figure
from mbnas.report.figures.time import time_figure
from mbnas.report.words import escaped
from mbnas.search import Study

VIEW = "learned"
_OVER = [
    {"label": "over trials", "value": "trials"},
    {"label": "over training time", "value": "training_hours"},
]
_FIGURES = {
    "choices": ("The front's choices", choices_figure, captions.choices_caption),
    "importance": ("What matters", importance_figure, captions.importance_caption),
    "parallel": ("The front through all choices", parallel_figure, captions.parallel_caption),
    "time": ("Where the time went", time_figure, captions.time_caption),
    "curves": ("Training curves of the front", curves_figure, captions.curves_caption),
}


def layout() -> Component:
    """The view's parts."""
    as_of = dcc.Slider(0, 1, 1, id="as-of", value=1, updatemode="mouseup", allow_direct_input=False)
    grown = panel(
        "growth",
        "How the front grew",
        labelled("hypervolume", dcc.RadioItems(_OVER, "trials", id="over", inline=True)),
        figure_place("hypervolume", "Hypervolume as the search went on"),
        html_place("hypervolume-said"),
        labelled("the front as it was after trial", as_of),
        figure_place("front-then", "The front as it was"),
    )
    others = [
        panel(name, heading, figure_place(name, heading), html_place(f"{name}-said"))
        for name, (heading, _, _) in _FIGURES.items()
    ]
    return html.Div([grown, *others])


def register(app: Dash, shown: ShownStudies) -> None:
    """Declares the view's callbacks; nothing is drawn while another view is open."""
    draws(app, "hypervolume", "front-then", *_FIGURES)
    puts(app, "hypervolume-said", *(f"{name}-said" for name in _FIGURES))

    @app.callback(
        *(Output(f"{name}-figure", "data") for name in _FIGURES),
        *(Output(f"{name}-said-html", "data") for name in _FIGURES),
        Input("version", "data"),
        Input("view", "value"),
        Input("study", "value"),
    )
    def drawn(_: Any, view: str, name: str) -> tuple[Any, ...]:
        study = _study_in_view(shown, name, view)
        figures = {each: sent(draw(study)) for each, (_, draw, _) in _FIGURES.items()}
        figures["parallel"]["narrow"] = sent(parallel_figure(study, NARROW_AXES))
        return (*figures.values(), *(hint_html(said(study)) for _, _, said in _FIGURES.values()))

    @app.callback(
        Output("hypervolume-figure", "data"),
        Output("hypervolume-said-html", "data"),
        Input("version", "data"),
        Input("view", "value"),
        Input("study", "value"),
        Input("over", "value"),
    )
    def grown(_: Any, view: str, name: str, over: str) -> tuple[Any, str]:
        study = _study_in_view(shown, name, view)
        hours = over == "training_hours"
        figure = hypervolume_figure(study, "training_hours" if hours else "trials")
        figure.update_layout(uirevision=f"{name} {over}")
        return sent(figure), hint_html(captions.hypervolume_caption(study))

    @app.callback(
        Output("as-of", "max"),
        Output("as-of", "value"),
        Output("as-of", "marks"),
        Input("version", "data"),
        Input("view", "value"),
        Input("study", "value"),
        State("as-of", "value"),
        State("as-of", "max"),
    )
    def handle(_: Any, view: str, name: str, value: int, most: int) -> tuple[int, int, Any]:
        study = _study_in_view(shown, name, view)
        last = study.trials[-1].number if study.trials else 1
        # Whoever has not moved it watches the front grow.
        return last, last if value >= most else min(value, last), {0: "0", last: f"{last:,}"}

    @app.callback(
        Output("front-then-figure", "data"),
        Input("as-of", "value"),
        State("view", "value"),
        State("study", "value"),
        prevent_initial_call=True,
    )
    def then(number: int, view: str, name: str) -> Any:
        return sent(front_then(_study_in_view(shown, name, view), number))


def front_then(study: Study, last: int) -> go.Figure:
    """The front as it was after a trial, beside what the whole study is held against."""
    before = EarlierStudy(study, last)
    return front_figure(before, window=Window() if len(before.trials) > MANY else None)


def hint_html(text: str) -> str:
    """A quiet sentence, as HTML."""
    return f"<p class='hint'>{escaped(text)}</p>"


def _study_in_view(shown: ShownStudies, name: str, view: str) -> Study:
    if view != VIEW:
        raise PreventUpdate
    return shown.known(name)
