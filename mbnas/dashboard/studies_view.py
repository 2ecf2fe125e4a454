"""Several studies over one another, with hypervolumes that compare."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import plotly.graph_objects as go
from dash import Dash, Input, Output
from dash.development.base_component import Component
from dash.exceptions import PreventUpdate

from mbnas.dashboard.parts import draws, figure_place, html_place, panel, puts, sent
from mbnas.dashboard.shown import ShownStudies
from mbnas.report.style import BLUE, GREY, ORANGE, PURPLE, VERMILLION, new_figure, say
from mbnas.report.tables import Column, table
from mbnas.report.words import QUANTITIES, amount, digits, escaped, percent, plural
from mbnas.search import Study, hypervolume
from mbnas.search.front import points

VIEW = "studies"
HEIGHT = 480
_LOOKS = (
    (BLUE, "diamond", "solid"),
    (ORANGE, "square", "dash"),
    (PURPLE, "triangle-up", "dot"),
    (VERMILLION, "x", "dashdot"),
    (GREY, "circle", "longdash"),
)


def layout() -> Component:
    """The view's parts."""
    place = figure_place("fronts", "The fronts of all studies shown")
    return panel("studies", "Studies beside each other", place, html_place("studies-table"))


def register(app: Dash, shown: ShownStudies) -> None:
    """Declares the view's callbacks."""
    draws(app, "fronts")
    puts(app, "studies-table")

    @app.callback(
        Output("fronts-figure", "data"),
        Output("studies-table-html", "data"),
        Input("version", "data"),
        Input("view", "value"),
        Input("study", "value"),
    )
    def drawn(_: Any, view: str, name: str) -> tuple[Any, str]:
        all_ = {each: study for each in shown.names if (study := shown.study(each)) is not None}
        if view != VIEW or not all_:
            raise PreventUpdate
        first = all_.get(name) or next(iter(all_.values()))
        alike = {each: study for each, study in all_.items() if _same_goals(study, first)}
        left = [each for each in shown.names if each not in alike]
        said = apart(list(alike.values())) + _left_out(left, first)
        return sent(fronts_figure(alike)), studies_table(alike) + said


def fronts_figure(studies: Mapping[str, Study]) -> go.Figure:
    """The front of each study, a line and a shape of its own."""
    if not any(study.front for study in studies.values()):
        return say(new_figure(HEIGHT // 2), "no study has a front yet")
    figure = new_figure(HEIGHT)
    for at, (name, study) in enumerate(studies.items()):
        colour, symbol, dash = _LOOKS[at % len(_LOOKS)]
        goals = study.record.goals
        figure.add_scatter(
            name=escaped(name),
            x=[trial.value(goals.cost) for trial in study.front],
            y=[trial.value(goals.quality) for trial in study.front],
            mode="lines+markers",
            line={"shape": "hv", "width": 2, "color": colour, "dash": dash},
            marker={"symbol": symbol, "size": 9, "color": colour},
            hovertext=[
                f"{escaped(name)}, trial {trial.number}<br>{percent(trial.value(goals.quality))},"
                f" {amount(goals.cost, trial.value(goals.cost))}"
                for trial in study.front
            ],
            hoverinfo="text",
        )
    goals = next(iter(studies.values())).record.goals
    figure.update_layout(
        xaxis={"title": {"text": QUANTITIES[goals.cost].axis}},
        yaxis={"title": {"text": QUANTITIES[goals.quality].axis}, "tickformat": "~%"},
    )
    return figure


def studies_table(studies: Mapping[str, Study]) -> str:
    """Each study's hypervolume up to a reference point that all have in common, as HTML.

    It has the lowest accuracy and the highest cost among the studies' own reference points, so
    that no front is cut off by another study's.
    """
    accuracy = min(study.record.reference_accuracy for study in studies.values())
    cost = max(study.record.reference_cost for study in studies.values())
    goals = next(iter(studies.values())).record.goals
    rows = []
    for name, study in studies.items():
        front = study.front
        area = hypervolume(points(front, goals), (accuracy, cost))
        spent = sum(trial.training_seconds for trial in study.trials)
        rows.append(
            [
                escaped(name),
                digits(area),
                f"{len(study.trials):,}",
                f"{len(front):,}",
                percent(front[-1].value(goals.quality)) if front else "–",
                amount(goals.cost, front[0].value(goals.cost)) if front else "–",
                f"{spent / 3600:.2f}",
                escaped(study.record.data.spec),
                f"{study.record.recipe.epochs:,}",
                escaped(f"{study.record.host.cpu}, {plural(study.record.threads, 'thread')}"),
            ]
        )
    columns = (
        Column("study"),
        Column("hypervolume"),
        Column("trials"),
        Column("on the front"),
        Column("most accurate"),
        Column("cheapest"),
        Column("training hours"),
        Column("images", figures=False),
        Column("epochs"),
        Column("timed on", figures=False),
    )
    caption = (
        f"Hypervolumes up to one reference point: {percent(accuracy)}, {amount(goals.cost, cost)}"
    )
    return table("studies-hypervolumes", caption, columns, rows)


def _same_goals(study: Study, first: Study) -> bool:
    return study.record.goals.quantities == first.record.goals.quantities


def apart(studies: Sequence[Study]) -> str:
    """What else than the search sets studies apart, as HTML; empty where nothing does."""
    first, *others = (study.record for study in studies)
    # Each line begins with the name of what differs.
    lines = [
        line
        for other in others
        for line in (
            *first.training_differences(other),
            *first.measuring_differences(other),
            *(["limits: "] if set(first.goals.limits) != set(other.goals.limits) else []),
        )
    ]
    names = dict.fromkeys(line.partition(":")[0].replace("_", " ") for line in lines)
    if not names:
        return ""
    return (
        f"<p class='note'>Not alike in all of them: {escaped(', '.join(names))}. Which front is"
        " better may come of that, and not of the search.</p>"
    )


def _left_out(names: list[str], first: Study) -> str:
    if not names:
        return ""
    quality, cost = (QUANTITIES[name].noun for name in first.record.goals.quantities)
    return (
        f"<p class='note'>Not shown: {escaped(', '.join(names))}; they hold no study, or have"
        f" other objectives than {quality} and {cost}.</p>"
    )
