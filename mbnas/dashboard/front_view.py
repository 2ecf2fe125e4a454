"""The front, live: every trial, what a budget buys, and the networks that are opened or pinned."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from dash import ClientsideFunction, Dash, Input, Output, State, ctx, dcc, html
from dash.development.base_component import Component
from dash.exceptions import PreventUpdate

from mbnas.dashboard.budget import offer, offer_said
from mbnas.dashboard.parts import (
    COLOURS,
    LIVE,
    SCHEME,
    figure_place,
    html_place,
    labelled,
    panel,
    puts,
    sent,
    spoken,
)
from mbnas.dashboard.shown import ShownStudies
from mbnas.errors import StudyError
from mbnas.report.captions import front_caption
from mbnas.report.contest_page import contest_summary
from mbnas.report.document import tile
from mbnas.report.facts import summary
from mbnas.report.figures.front import MANY, Axes, Window, front_figure, is_wide_across
from mbnas.report.groups import seen
from mbnas.report.words import QUANTITIES, amount, escaped
from mbnas.search import Study, knee

_LOGS = [{"label": "log x", "value": "x"}, {"label": "log y", "value": "y"}]
STEPS = 400
_LARGEST = 2**53  # of a number from a page: what a float holds exactly
_MARKED = " A large ring is around what is opened, a square around what is pinned."
_PARTED = " Of marks that would lie on one another, one is drawn; a zoom parts them."


def layout(study: Study | None, beside: Component) -> Component:
    """The view's parts, as they are for the study that is shown first; one stands beside them."""
    x, y = _own_axes(study)
    options = [{"label": words.axis, "value": name} for name, words in QUANTITIES.items()]
    controls = html.Div(
        [
            labelled("across", dcc.Dropdown(options, x, id="x-axis", clearable=False)),
            labelled("up", dcc.Dropdown(options, y, id="y-axis", clearable=False)),
            labelled("scale", dcc.Checklist(_LOGS, _own_logs(study, x), id="logs", inline=True)),
        ],
        className="controls",
    )
    # Keys are heard by the place around the plot, which a screen reader announces.
    walk = html.Div(
        figure_place("front", "All trials by latency and accuracy"),
        id="front-walk",
        tabIndex="0",
        role="group",
        **spoken("The front. Left and right arrow keys step along it."),
    )
    budget = html.Div(
        [
            labelled(
                "budget",
                dcc.Slider(0, 1, id="budget", updatemode="drag", allow_direct_input=False),
            ),
            html_place("budget-said", **LIVE),
            html.Button("open it", id="open-best", type="button"),
        ],
        className="budget",
    )
    stores = [dcc.Store(id="walked"), dcc.Store(id="marks", data=[]), dcc.Store(id="window")]
    stores.append(dcc.Store(id="own-logs", data=_own_logs(study, x)))
    said = html_place("front-said")
    plot = panel("front-plot", "The front", controls, walk, budget, said)
    both = html.Div([plot, beside], className="two")
    return html.Div([html_place("tiles"), both, *stores])


def register(app: Dash, shown: ShownStudies) -> None:
    """Declares the view's callbacks."""
    puts(app, "tiles", "front-said", "budget-said")
    _draws(app, shown)
    _budgets(app, shown)
    _marks_over(app, shown)


def _draws(app: Dash, shown: ShownStudies) -> None:
    """The plot on its axes, live, and as close as it is looked at."""

    @app.callback(
        Output("x-axis", "value"),
        Output("y-axis", "value"),
        Input("study", "value"),
        prevent_initial_call=True,
    )
    def axes_of_study(name: str) -> tuple[str, str]:
        return _own_axes(shown.study(name))

    @app.callback(
        Output("logs", "value"),
        Output("own-logs", "data"),
        Input("version", "data"),
        Input("study", "value"),
        Input("x-axis", "value"),
        State("logs", "value"),
        State("own-logs", "data"),
        prevent_initial_call=True,
    )
    def scales(*given: Any) -> tuple[list[str], list[str]]:
        _, name, x, now, before = given
        own = _own_logs(shown.known(name), x)
        # Whoever has not ticked the box follows what is found.
        is_own = ("x" in now) == ("x" in before)
        if ctx.triggered_id == "version" and (own == before or not is_own):
            raise PreventUpdate
        return own + [box for box in now if box != "x"], own

    @app.callback(
        Output("front-figure", "data"),
        Output("tiles-html", "data"),
        Output("front-said-html", "data"),
        Input("version", "data"),
        Input("study", "value"),
        Input("x-axis", "value"),
        Input("y-axis", "value"),
        Input("logs", "value"),
        Input("window", "data"),
    )
    def drawn(
        _: Any, name: str, x: str, y: str, logs: list[str], window: dict[str, Any] | None
    ) -> tuple[Any, str, str]:
        study = shown.known(name)
        if x not in QUANTITIES or y not in QUANTITIES:
            raise PreventUpdate
        return _drawn(study, x, y, logs, Window(**(window or {})))

    @app.callback(
        Output("window", "data"),
        Input("front", "relayoutData"),
        Input("x-axis", "value"),
        Input("y-axis", "value"),
        Input("logs", "value"),
        Input("study", "value"),
        State("window", "data"),
        prevent_initial_call=True,
    )
    def looked_at(moved: Any, *given: Any) -> dict[str, Any] | None:
        name, now = given[-2], given[-1]
        if len(shown.known(name).trials) <= MANY:  # every mark is there already
            raise PreventUpdate
        found = _window(moved) if ctx.triggered_id == "front" else None
        if found == now or (found is None and now is None):
            raise PreventUpdate
        return found


def _budgets(app: Dash, shown: ShownStudies) -> None:
    """The slider, and what it buys."""

    @app.callback(
        Output("budget", "min"),
        Output("budget", "max"),
        Output("budget", "step"),
        Output("budget", "marks"),
        Output("budget", "value"),
        Input("version", "data"),
        Input("study", "value"),
        State("budget", "value"),
    )
    def budget_range(_: Any, name: str, value: float | None) -> tuple[Any, ...]:
        study = shown.known(name)
        cost = study.record.goals.cost
        costs = [trial.value(cost) or 0.0 for trial in study.front]
        if not costs:
            return 0, 1, None, {}, 0
        low, high = costs[0] * 0.98, costs[-1] * 1.02
        best = knee(study.front, study.record.goals)
        kept = value is not None and low <= value <= high and ctx.triggered_id != "study"
        chosen = value if kept else best.value(cost)
        ends = {at: amount(cost, at) for at in (low, high)}
        return low, high, (high - low) / STEPS, ends, chosen

    @app.callback(
        Output("budget-said-html", "data"),
        Input("budget", "value"),
        Input("version", "data"),
        State("study", "value"),
    )
    def budget_said(value: float | None, _: Any, name: str) -> str:
        study = shown.known(name)
        goals = study.record.goals
        found = offer(study.front, goals, value or 0.0)
        return f"<p>{escaped(offer_said(found, goals, value or 0.0))}</p>"


def _marks_over(app: Dash, shown: ShownStudies) -> None:
    """The budget's line and the rings, drawn over the plot."""

    @app.callback(
        Output("marks", "data"),
        Input("opened", "data"),
        Input("pinned", "data"),
        Input("x-axis", "value"),
        Input("y-axis", "value"),
        Input("study", "value"),
    )
    def marks(opened: Any, pinned: list[int], x: str, y: str, name: str) -> list[dict[str, Any]]:
        study = shown.known(name)
        found = [(number, "pinned") for number in pinned]
        found += [(opened, "opened")] if opened is not None else []
        return [mark for number, kind in found for mark in _marks(study, number, kind, x, y)]

    over = {"budget": "value", "marks": "data", "x-axis": "value", "goal-cost": "data"}
    app.clientside_callback(
        ClientsideFunction("mbnas", "front"),
        Output("front", "figure"),
        Input("front-figure", "data"),
        Input(SCHEME, "data"),
        State(COLOURS, "data"),
        *(State(name, what) for name, what in over.items()),
    )
    app.clientside_callback(
        ClientsideFunction("mbnas", "overlaid"),
        Output("front-walk", "title"),  # nothing to see: it is drawn into the plot that stands
        *(Input(name, what) for name, what in over.items()),
    )


def _drawn(
    study: Study, x: str, y: str, logs: Sequence[str], window: Window
) -> tuple[Any, str, str]:
    """The plot, the figures above it, and how to read it."""
    axes = Axes(x, y, "x" in logs, "y" in logs)
    many = len(study.trials) > MANY
    figure = front_figure(study, axes, window if many else None)
    figure.update_layout(uirevision=f"{study.folder.path} {x} {y} {logs}")
    tiles = "".join(tile(one.term, one.lines[0], one.lines[-1]) for one in summary(study))
    said = front_caption(study, axes) + _MARKED + (_PARTED if many else "")
    caption = f"<p class='hint'>{escaped(said)}</p>"
    return sent(figure), f'<dl class="tiles">{tiles}</dl>', caption + contest_summary(study)


def _window(moved: Any) -> dict[str, Any] | None:
    """The part of the plane that a zoom came to; None for all of it.

    Raises:
        PreventUpdate: it was something else that changed.
    """
    moved = moved or {}
    if moved.get("xaxis.autorange") or moved.get("yaxis.autorange"):
        return None
    ends = {
        axis: (moved.get(f"{axis}axis.range[0]"), moved.get(f"{axis}axis.range[1]"))
        for axis in ("x", "y")
    }
    found = {axis: pair for axis, pair in ends.items() if all(map(_is_number, pair))}
    if not found:
        raise PreventUpdate
    return found


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and abs(value) <= _LARGEST and math.isfinite(value)


def _own_axes(study: Study | None) -> tuple[str, str]:
    """The quantities that a study searches for, across and up."""
    if study is None:
        return "latency_ms", "accuracy"
    return study.record.goals.cost, study.record.goals.quality


def _own_logs(study: Study | None, x: str) -> list[str]:
    """The boxes of scales that are ticked for a quantity across, until someone ticks another."""
    return ["x"] if study is not None and is_wide_across(study, x) else []


def _marks(study: Study, number: int, kind: str, x: str, y: str) -> list[dict[str, Any]]:
    """Where a trial stands on these axes; nowhere, if it has not both."""
    try:
        trial = study.trial(number)
    except StudyError:
        return []
    place = [seen(trial, axis) for axis in (x, y)]
    if None in place:
        return []
    return [{"x": place[0], "y": place[1], "kind": kind, "trial": number}]
