"""The network that is opened, and two that are pinned beside each other."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qs, urlencode

from dash import Dash, Input, Output, State, ctx, dcc, html, no_update
from dash.development.base_component import Component
from dash.exceptions import PreventUpdate

from mbnas.dashboard.budget import offer
from mbnas.dashboard.network_page import comparison, nearest, network_page
from mbnas.dashboard.parts import (
    LIVE,
    draws,
    figure_place,
    hint,
    html_place,
    note,
    panel,
    puts,
    sent,
)
from mbnas.dashboard.shown import ShownStudies
from mbnas.errors import MbnasError
from mbnas.measure.latency import OrtLatencyMeter
from mbnas.measure.onnx_file import to_onnx
from mbnas.report.figures import curves_figure, profile_figure
from mbnas.report.figures.latency import latency_figure
from mbnas.search import Study, Trial

PINS = 2


def layout() -> Component:
    """The view's parts."""
    buttons = html.Div(
        [
            html.Button("pin it", id="pin", type="button"),
            html.Button("take it home (zip)", id="export", type="button"),
            html.Button("time its stages", id="profile-it", type="button"),
        ],
        className="buttons",
    )
    command = html.Div(
        [html.Code(id="export-command"), dcc.Clipboard(id="copy-export", title="copy")],
        className="command",
    )
    opened = panel(
        "network",
        "A network",
        hint("Click a mark, or open the budget's best; this panel then draws it."),
        html.Div(
            [
                buttons,
                html_place("export-said", **LIVE),
                command,
                html_place("network-page"),
                figure_place("curve", "Its training curve"),
                figure_place("latency", "Its latency, and its neighbours'"),
                figure_place("stages", "Time by stage"),
            ],
            id="network-shown",
            hidden=True,
        ),
    )
    stores = [
        dcc.Store(id="opened"),
        dcc.Store(id="network-told"),
        dcc.Store(id="picked"),
        dcc.Location(id="url", refresh=False),
        dcc.Download(id="bundle"),
    ]
    return html.Div([opened, *stores])


def pinned_layout() -> Component:
    """Two networks side by side, across the whole page."""
    shown = html.Div(
        panel(
            "pinned",
            "Two networks side by side",
            html_place("comparison"),
            html.Button("let go", id="unpin", type="button"),
        ),
        id="pinned-shown",
        hidden=True,
    )
    return html.Div([shown, dcc.Store(id="pinned", data=[])])


def register(app: Dash, shown: ShownStudies) -> None:
    """Declares the view's callbacks."""
    puts(app, "network-page", "comparison", "export-said")
    draws(app, "curve", "latency", "stages")
    _opens(app, shown)
    _shows(app, shown)
    _pins(app, shown)


def _opens(app: Dash, shown: ShownStudies) -> None:
    """Which network is open: by a click, a key, a button or the address."""

    @app.callback(
        Output("opened", "data"),
        Input("front", "clickData"),
        Input("picked", "data"),
        Input("walked", "data"),
        Input("open-best", "n_clicks"),
        Input("url", "search"),
        Input("study", "value"),
        State("opened", "data"),
        State("budget", "value"),
    )
    def opened(
        clicked: Any,
        picked: Any,
        walked: Any,
        _: Any,
        search: str | None,
        name: str,
        now: int | None,
        budget: float | None,
    ) -> int | None:
        study = shown.study(name)
        match ctx.triggered_id:
            case "front":
                number = clicked["points"][0].get("customdata") if clicked else None
            case "picked":
                number = picked and picked.get("trial")
            case "walked" if study is not None:
                number = _stepped(study, now, walked)
            case "open-best" if study is not None:
                best = offer(study.front, study.record.goals, budget or 0.0).best
                number = None if best is None else best.number
            case _:  # an address, or another study: what the address names, if this study has it
                number = _in_address(search, name)
        trial = shown.trial(name, number)
        if trial is None:
            if ctx.triggered_id == "study":
                return None
            raise PreventUpdate
        return trial.number

    @app.callback(
        Output("url", "search"),
        Input("opened", "data"),
        State("study", "value"),
        State("url", "search"),
        prevent_initial_call=True,  # the address of the first page is what it is to show
    )
    def address(number: int | None, name: str, now: str | None) -> str:
        wanted = "" if number is None else "?" + urlencode({"study": name, "trial": number})
        if wanted == (now or ""):
            raise PreventUpdate
        return wanted


def _shows(app: Dash, shown: ShownStudies) -> None:
    """What is said of the network that is open, while a search goes on too."""

    @app.callback(
        Output("network-page-html", "data"),
        Output("curve-figure", "data"),
        Output("latency-figure", "data"),
        Output("stages-figure", "data"),
        Output("export-command", "children"),
        Output("copy-export", "content"),
        Output("network-shown", "hidden"),
        Output("export-said-html", "data"),
        Output("network-told", "data"),
        Input("opened", "data"),
        Input("version", "data"),
        State("study", "value"),
        State("network-told", "data"),
    )
    def network(
        number: int | None, _: Any, name: str, known: dict[str, Any] | None
    ) -> tuple[Any, ...]:
        study, trial = shown.study(name), shown.trial(name, number)
        if study is not None and trial is not None:
            return network_told(study, trial, known or {})
        if known == {}:  # that nothing is open is told already
            raise PreventUpdate
        return "", None, None, None, "", "", True, "", {}

    @app.callback(
        Output("stages-figure", "data", allow_duplicate=True),
        Output("export-said-html", "data", allow_duplicate=True),
        Input("profile-it", "n_clicks"),
        State("opened", "data"),
        State("study", "value"),
        running=[(Output("profile-it", "disabled"), True, False)],
        prevent_initial_call=True,
    )
    def stages(_: Any, number: int | None, name: str) -> tuple[Any, str]:
        study, trial = shown.known(name), shown.trial(name, number)
        if trial is None:
            raise PreventUpdate
        content = to_onnx(trial.architecture.lower(len(study.record.data.classes)))
        try:
            operators = OrtLatencyMeter(study.record.threads).profile(content)
        except MbnasError as error:
            return None, note(str(error))
        return sent(profile_figure(f"trial {trial.number}", operators)), ""


def _pins(app: Dash, shown: ShownStudies) -> None:
    """Two networks side by side."""

    @app.callback(
        Output("pinned", "data"),
        Input("pin", "n_clicks"),
        Input("unpin", "n_clicks"),
        Input("study", "value"),
        State("opened", "data"),
        State("pinned", "data"),
        prevent_initial_call=True,
    )
    def pins(_: Any, __: Any, ___: str, number: int | None, now: list[int]) -> list[int]:
        if ctx.triggered_id != "pin":
            return []
        if number is None or number in now:
            raise PreventUpdate
        return [*now, number][-PINS:]

    @app.callback(
        Output("comparison-html", "data"),
        Output("pinned-shown", "hidden"),
        Input("pinned", "data"),
        Input("version", "data"),
        State("study", "value"),
    )
    def compared(numbers: list[int], _: Any, name: str) -> tuple[str, bool]:
        study = shown.study(name)
        trials = [trial for one in numbers if (trial := shown.trial(name, one)) is not None]
        if study is None or not trials:
            return "", True
        if len(trials) < PINS:
            said = f"Trial {trials[0].number} is pinned; open another one and pin it too."
            return f"<p>{said}</p>", False
        return comparison(study, *trials), False


def network_told(study: Study, trial: Trial, known: Mapping[str, Any]) -> tuple[Any, ...]:
    """What the panel's parts show of a network, the last one what is to be known at the next call.

    A search that goes on changes a network's place and its neighbours. All else stays as it is:
    the time by stage, which somebody waited for, too.
    """
    others = [one for one in nearest(study, trial) if one.latency is not None]
    told = {
        "network": f"{study.record.created} {study.folder.path.name} {trial.number}",
        "beside": [one.number for one in others],
    }
    page = network_page(study, trial)
    latency: Any = no_update
    if told != known:
        latency = sent(latency_figure(trial, others)) if trial.latency else None
    if told["network"] == known.get("network"):
        return page, no_update, latency, *[no_update] * 5, told
    curve = sent(curves_figure(study, [trial])) if trial.curve else None
    command = export_command(study, trial)
    return page, curve, latency, None, command, command, False, "", told


def export_command(study: Study, trial: Trial) -> str:
    """What does the same as the button, on a command line."""
    folder = str(study.folder.path)
    words = ["mbnas", "export", folder, "--pick", f"trial:{trial.number}"]
    return shlex.join([*words, "--out", f"trial-{trial.number}"])


def _stepped(study: Study, now: int | None, walked: Any) -> int | None:
    """The front's member beside the one that is open; an end of the front from anywhere else."""
    numbers = [trial.number for trial in study.front]
    by = 1 if walked and walked.get("by") == 1 else -1
    if not numbers:
        return None
    if now not in numbers:
        return numbers[0] if by > 0 else numbers[-1]
    return numbers[min(len(numbers) - 1, max(0, numbers.index(now) + by))]


def _in_address(search: str | None, name: str) -> int | None:
    """The trial that an address such as `?study=photos&trial=17` names, if it means this study."""
    given = parse_qs((search or "").lstrip("?"))
    number = given.get("trial", [""])[-1]
    if given.get("study", [name])[-1] != name or not number.isascii() or not number.isdecimal():
        return None
    return int(number[:9])
