"""The dashboard as a Dash application: its frame, its views, and what keeps it live."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from importlib import resources
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

from dash import ClientsideFunction, Dash, Input, Output, State, dcc, html
from dash.development.base_component import Component
from dash.exceptions import PreventUpdate

from mbnas.dashboard import (
    about_view,
    acting,
    front_view,
    learned_view,
    network_view,
    studies_view,
    trials_view,
)
from mbnas.dashboard.asked import check_updates
from mbnas.dashboard.guard import guard
from mbnas.dashboard.parts import html_place, puts, spoken, stores
from mbnas.dashboard.shown import ShownStudies
from mbnas.dashboard.state import state_line

REFRESH_SECONDS = 2.0
_VIEWS = {
    "front": "The front",
    "learned": "What it learned",
    "trials": "Every trial",
    "studies": "Studies",
    "about": "About",
}
_SUITES = "/_dash-component-suites"
_LATE = ("plotly/package_data/plotly.min.js", "dash/dcc/async-graph.js")
# What Dash asks for only when a plot is to be drawn comes with the page.
_PRELOADED = "".join(f'<link rel="preload" as="script" href="{_SUITES}/{at}">' for at in _LATE)
_PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
{{%metas%}}
<meta name="color-scheme" content="light dark">
<link rel="icon" href="data:,">
<title>{{%title%}}</title>
{{%css%}}
{preloaded}
<style>{style}</style>
</head>
<body>
{{%app_entry%}}
{{%config%}}
{{%scripts%}}
{{%renderer%}}
</body>
</html>"""


def make_app(
    studies: Sequence[str | Path], token: str | None = None, refresh: float = REFRESH_SECONDS
) -> Dash:
    """The application; `app.server` is its WSGI side.

    Args:
        studies: Folders of studies, searched at this moment or not.
        token: What visitors must bring; without one, whoever asks by a loopback name is let in.
        refresh: Seconds between two looks at the folders.
    """
    shown = ShownStudies(studies)
    shown.look()
    app = Dash(
        "mbnas.dashboard",
        title="mbnas",
        update_title="",
        assets_folder=str(resources.files("mbnas.dashboard").joinpath("assets")),
        index_string=_PAGE.format(style=_style(), preloaded=_PRELOADED),
        serve_locally=True,
        add_log_handler=False,
        enable_mcp=False,
    )
    app.logger.setLevel(logging.ERROR)
    app.enable_dev_tools(debug=False, dev_tools_ui=False, dev_tools_disable_version_check=True)
    app.layout = lambda: _layout(shown, refresh)
    _register(app, shown)
    for view in (front_view, network_view, learned_view, trials_view, studies_view, about_view):
        view.register(app, shown)
    acting.register(app, shown)
    guard(app.server, token or None, app.csp_hashes())
    check_updates(app.server, app.callback_map)
    return app


def _layout(shown: ShownStudies, refresh: float) -> Component:
    """Made anew for every visitor, so that what is there by now is chosen from."""
    versions = shown.look()
    several = len(shown.names) > 1
    names = dcc.Dropdown(list(shown.names), shown.names[0], id="study", clearable=False)
    labels = [
        {"label": label, "value": view}
        for view, label in _VIEWS.items()
        if several or view != "studies"
    ]
    which = html.Div(names, className="which-study", role="group", **spoken("study"))
    views_asked = dcc.RadioItems(labels, "front", id="view", className="views", inline=True)
    header = html.Header(
        [
            html.Div([html.H1("mbnas"), which], className="title"),
            acting.layout(),
            html_place("problems", role="alert"),
            html.Div(views_asked, role="group", **spoken("view")),
        ]
    )
    views: dict[str, Component | list[Component]] = {
        "front": [
            front_view.layout(shown.study(shown.names[0]), network_view.layout()),
            network_view.pinned_layout(),
        ],
        "learned": learned_view.layout(),
        "trials": trials_view.layout(),
        "studies": studies_view.layout(),
        "about": about_view.layout(),
    }
    shown_views = [html.Div(view, id=f"view-{name}") for name, view in views.items()]
    return html.Div(
        [
            html.A("Skip to the results", href="#main", className="skip"),
            header,
            html.Main(shown_views, id="main"),
            dcc.Interval(id="tick", interval=1000 * refresh),
            dcc.Store(id="version", data=versions),
            dcc.Store(id="goal-cost"),
            *stores(),
        ]
    )


def _register(app: Dash, shown: ShownStudies) -> None:
    puts(app, "problems")
    app.clientside_callback(
        ClientsideFunction("mbnas", "views"),
        *(Output(f"view-{view}", "hidden") for view in _VIEWS),
        Input("view", "value"),
    )

    @app.callback(
        Output("version", "data"),
        Input("tick", "n_intervals"),
        State("version", "data"),
    )
    def look(_: Any, known: dict[str, int]) -> dict[str, int]:
        found = shown.look()
        if found == known:
            raise PreventUpdate
        return found

    @app.callback(
        Output("state-html", "data"),
        Output("steering", "hidden"),
        Output("pause", "disabled"),
        Output("go-on", "disabled"),
        Output("stop", "disabled"),
        Input("tick", "n_intervals"),
        Input("study", "value"),
    )
    def state(_: Any, name: str) -> tuple[str, bool, bool, bool, bool]:
        progress = shown.progress(name)
        alive = progress is not None and progress.is_alive
        now = progress.state if progress is not None and alive else "ended"
        hidden = not alive
        said = state_line(shown.study(name), progress)
        return said, hidden, now != "searching", now != "paused", now == "stopping"

    @app.callback(
        Output("problems-html", "data"),
        Output("goal-cost", "data"),
        Output("main", "className"),
        Input("version", "data"),
        Input("study", "value"),
    )
    def problems(_: Any, name: str) -> tuple[str, str, str]:
        study = shown.study(name)
        cost = "latency_ms" if study is None else study.record.goals.cost
        # Where there is no study, other callbacks leave what they drew of the one before.
        unseen = "no-study" if study is None else ""
        return about_view.problems_said(shown.problems(name)), cost, unseen

    @app.callback(
        Output("study", "value"),
        Input("url", "search"),
        State("study", "value"),
        prevent_initial_call=True,
    )
    def study_of_address(search: str | None, name: str) -> str:
        wanted = parse_qs((search or "").lstrip("?")).get("study", [name])[-1]
        if wanted == name or wanted not in shown.names:
            raise PreventUpdate
        return wanted


def _style() -> str:
    """The report's style and the dashboard's own, braces safe from `str.format`."""
    report = resources.files("mbnas.report").joinpath("page.css").read_text(encoding="utf-8")
    own = resources.files("mbnas.dashboard").joinpath("dashboard.css").read_text(encoding="utf-8")
    return report + own
