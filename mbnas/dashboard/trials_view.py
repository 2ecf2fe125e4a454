"""Everything that is plotted, as a table: sorted, sifted, and page by page."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from dash import Dash, Input, Output, State, ctx, dcc, html
from dash.development.base_component import Component
from dash.exceptions import PreventUpdate

from mbnas.dashboard.network_page import QUANTITIES_SHOWN, figure
from mbnas.dashboard.parts import html_place, labelled, panel, puts
from mbnas.dashboard.shown import ShownStudies
from mbnas.report.groups import groups, value_of
from mbnas.report.style import MARKS
from mbnas.report.tables import Column, outcome, table
from mbnas.report.words import QUANTITIES, escaped, interval
from mbnas.search import Study, Trial

VIEW = "trials"
ROWS = 50


def layout() -> Component:
    """The view's parts."""
    orders = [{"label": "number", "value": "number"}]
    orders += [{"label": QUANTITIES[name].noun, "value": name} for name in QUANTITIES_SHOWN]
    kinds = [{"label": "all", "value": "all"}]
    kinds += [{"label": mark.name, "value": group} for group, mark in MARKS.items()]
    controls = html.Div(
        [
            labelled("which", dcc.Dropdown(kinds, "all", id="which", clearable=False)),
            labelled("by", dcc.Dropdown(orders, "number", id="order", clearable=False)),
            labelled(
                "order",
                dcc.RadioItems(
                    [{"label": "up", "value": "up"}, {"label": "down", "value": "down"}],
                    "up",
                    id="direction",
                    inline=True,
                ),
            ),
        ],
        className="controls",
    )
    pages = html.Div(
        [
            html.Button("← earlier", id="page-before", type="button"),
            html.Button("later →", id="page-after", type="button"),
        ],
        className="buttons",
    )
    store = dcc.Store(id="page", data=0)
    return panel("trials", "Every trial", controls, html_place("trials-table"), pages, store)


def register(app: Dash, shown: ShownStudies) -> None:
    """Declares the view's callbacks."""
    puts(app, "trials-table")

    @app.callback(
        Output("page", "data"),
        Input("page-before", "n_clicks"),
        Input("page-after", "n_clicks"),
        Input("which", "value"),
        Input("order", "value"),
        Input("direction", "value"),
        Input("study", "value"),
        State("page", "data"),
        prevent_initial_call=True,
    )
    def page(*given: Any) -> int:
        which, _, _, name, now = given[2:]
        by = {"page-before": -1, "page-after": 1}.get(str(ctx.triggered_id))
        if by is None:
            return 0
        last = _pages(len(_chosen(shown.known(name), which))) - 1
        return max(0, min(int(now), last) + by if by < 0 else min(int(now) + by, last))

    @app.callback(
        Output("trials-table-html", "data"),
        Input("version", "data"),
        Input("view", "value"),
        Input("study", "value"),
        Input("which", "value"),
        Input("order", "value"),
        Input("direction", "value"),
        Input("page", "data"),
    )
    def rows(_: Any, view: str, name: str, which: str, order: str, direction: str, at: int) -> str:
        if view != VIEW:
            raise PreventUpdate
        return trials_page(shown.known(name), which, order, direction == "down", at)


def trials_page(study: Study, which: str, order: str, down: bool, page: int) -> str:
    """One page of the table, as HTML.

    Args:
        study: The study.
        which: A group of trials, or `all`.
        order: `number`, or a quantity; trials that lack it come last.
        down: Largest first.
        page: From 0; beyond the last one, the last one.
    """
    names = _names(study)
    ranked = _ordered(_chosen(study, which), order, down)
    pages = _pages(len(ranked))
    page = min(page, pages - 1)
    columns = (
        Column("trial"),
        Column("outcome", figures=False),
        *(Column(QUANTITIES[name].noun) for name in QUANTITIES_SHOWN),
        Column("95% interval"),
        Column("architecture", figures=False),
    )
    rows = [
        [
            f'<button type="button" data-trial="{trial.number}">{trial.number}</button>',
            outcome(trial, names.get(trial.number)),
            *(escaped(figure(trial, name)) for name in QUANTITIES_SHOWN),
            interval(trial),
            f"<code>{escaped(trial.architecture.id)}</code>",
        ]
        for trial in ranked[page * ROWS : (page + 1) * ROWS]
    ]
    caption = f"{len(ranked):,} of {len(study.trials):,} trials, page {page + 1} of {pages:,}"
    return table("all-trials", caption, columns, rows)


def _names(study: Study) -> dict[int, str]:
    """The group that each trial is of, by its number."""
    return {trial.number: group for group, some in groups(study).items() for trial in some}


def _chosen(study: Study, which: str) -> list[Trial]:
    names = _names(study)
    return [one for one in study.trials if which in ("all", names.get(one.number, "reused"))]


def _pages(trials: int) -> int:
    return max(1, -(-trials // ROWS))


def _ordered(trials: Sequence[Trial], order: str, down: bool) -> list[Trial]:
    if order not in QUANTITIES_SHOWN:
        return sorted(trials, key=lambda trial: trial.number, reverse=down)
    known = [(value, trial) for trial in trials if (value := value_of(trial, order)) is not None]
    ranked = sorted(known, key=lambda entry: (entry[0], entry[1].number), reverse=down)
    return [trial for _, trial in ranked] + [
        trial for trial in trials if value_of(trial, order) is None
    ]
