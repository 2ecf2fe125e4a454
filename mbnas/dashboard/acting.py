"""Acting: pause, go on and stop a search that runs; take a network home."""

from __future__ import annotations

import base64
import io
import shlex
import tempfile
import zipfile
from pathlib import Path
from typing import Any

from dash import Dash, Input, Output, State, ctx, html
from dash.development.base_component import Component
from dash.exceptions import PreventUpdate

from mbnas.bundle import export
from mbnas.dashboard.parts import LIVE, html_place, note, puts
from mbnas.dashboard.shown import ShownStudies
from mbnas.errors import MbnasError
from mbnas.search import Study, Trial
from mbnas.search.steering import pause_search, resume_search, stop_search

_WISHES = {"pause": pause_search, "go-on": resume_search, "stop": stop_search}


def layout() -> Component:
    """The line that says how the search goes, and its buttons."""
    buttons = html.Div(
        [
            html.Button("pause", id="pause", type="button"),
            html.Button("go on", id="go-on", type="button"),
            html.Button("stop", id="stop", type="button"),
        ],
        id="steering",
        className="buttons",
        hidden=True,
    )
    return html.Div(
        [
            html_place("state", **LIVE),
            buttons,
            html_place("steered", **LIVE),
        ],
        className="state",
    )


def register(app: Dash, shown: ShownStudies) -> None:
    """Declares the callbacks; they come from this dashboard's own pages alone, see `guard`."""
    puts(app, "state", "steered")

    @app.callback(
        Output("steered-html", "data"),
        *(Input(wish, "n_clicks") for wish in _WISHES),
        Input("study", "value"),
        prevent_initial_call=True,
    )
    def steer(*given: Any) -> str:
        name, wish = given[-1], str(ctx.triggered_id)
        if wish == "study":  # what was asked of another study is not said of this one
            return ""
        folder = shown.folder(name)
        if folder is None or wish not in _WISHES:
            raise PreventUpdate
        try:
            _WISHES[wish](folder)
        except MbnasError as error:
            return note(str(error))
        verb = "resume" if wish == "go-on" else wish
        return note("asked for", shlex.join(["mbnas", "steer", str(folder), verb]))

    @app.callback(
        Output("bundle", "data"),
        Output("export-said-html", "data", allow_duplicate=True),
        Input("export", "n_clicks"),
        State("opened", "data"),
        State("study", "value"),
        running=[(Output("export", "disabled"), True, False)],
        prevent_initial_call=True,
    )
    def take_home(_: Any, number: int | None, name: str) -> tuple[Any, str]:
        study, trial = shown.known(name), shown.trial(name, number)
        if trial is None:
            raise PreventUpdate
        try:
            content, said = zipped_bundle(study, trial)
        except MbnasError as error:
            return None, note(str(error))
        packed = {
            "content": base64.b64encode(content).decode(),
            "filename": f"{study.record.name}-trial-{trial.number}.zip",
            "type": "application/zip",
            "base64": True,
        }
        return packed, note(said)


def zipped_bundle(study: Study, trial: Trial) -> tuple[bytes, str]:
    """A trial's bundle, run and compared as any export is, as a zip; and what to say of it.

    Raises:
        ExportError: it cannot be made.
    """
    with tempfile.TemporaryDirectory(prefix="mbnas-") as folder:
        bundle = export(study, Path(folder) / "bundle", trial)
        held = io.BytesIO()
        with zipfile.ZipFile(held, "w", zipfile.ZIP_DEFLATED) as archive:
            for file in sorted(bundle.folder.iterdir()):
                archive.write(file, f"trial-{trial.number}/{file.name}")
    return held.getvalue(), (
        f"Run from the file: validation accuracy {bundle.accuracy:.2%}; ONNX Runtime and PyTorch"
        f" agree within {bundle.difference:.1e}."
    )
