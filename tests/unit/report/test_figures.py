from __future__ import annotations

import itertools
import json
from collections import Counter
from dataclasses import replace

import plotly.graph_objects as go
import pytest
from unit.report.fakes import with_trials

from mbnas.report import (
    captions,
    choices_figure,
    curves_figure,
    front_figure,
    hypervolume_figure,
    importance_figure,
    parallel_figure,
    time_figure,
)
from mbnas.report.facts import summary
from mbnas.report.figures.choices import shares
from mbnas.report.groups import brief, evaluated, groups
from mbnas.report.style import DARK, MARKS
from mbnas.report.tables import front_table
from mbnas.search import Study, knee

FIGURES = (
    front_figure,
    hypervolume_figure,
    choices_figure,
    curves_figure,
    importance_figure,
    parallel_figure,
    time_figure,
)
RAMPED = (curves_figure, parallel_figure)


def traces_by_group(figure: go.Figure) -> dict[str, list[int]]:
    found: dict[str, list[int]] = {}
    for trace in figure.data:
        if trace.customdata is not None:
            found.setdefault(trace.meta, []).extend(trace.customdata)
    return found


def test_the_fake_study_has_every_group(mixed: Study) -> None:
    assert all(groups(mixed).values())
    assert len(mixed.front) >= 3


def test_front_shows_every_evaluated_trial_once_in_its_group(mixed: Study) -> None:
    drawn = traces_by_group(front_figure(mixed))
    numbers = Counter(itertools.chain(*drawn.values()))
    assert numbers == Counter(trial.number for trial in evaluated(mixed))
    for group, trials in groups(mixed).items():
        assert set(drawn[group]) == {trial.number for trial in trials}


def test_groups_differ_by_shape_and_by_colour(mixed: Study) -> None:
    drawn = {trace.meta: trace.marker for trace in front_figure(mixed).data if trace.meta}
    assert len({marker.symbol for marker in drawn.values()}) == len(MARKS)
    assert len({marker.color for marker in drawn.values()}) == len(MARKS)


def test_points_stand_where_the_trials_are(mixed: Study) -> None:
    for trace in front_figure(mixed).data:
        if trace.customdata is None:
            continue
        for at, number in enumerate(trace.customdata):
            trial = mixed.trial(number)
            if trace.xaxis == "x":
                assert trace.x[at] == trial.latency_ms
            else:
                assert trial.latency_ms is None
            if trace.yaxis == "y":
                last = trial.curve[-1].accuracy
                assert trace.y[at] == last
            assert trace.hovertext[at] == brief(trial, trace.meta, mixed.record.goals)


def test_the_fronts_line_climbs(mixed: Study) -> None:
    (line,) = (trace for trace in front_figure(mixed).data if trace.meta == "front")
    assert line.line.shape == "hv"
    assert list(line.x) == sorted(line.x)
    assert list(line.y) == sorted(line.y)
    assert all(extent >= 0 for extent in (*line.error_x.array, *line.error_x.arrayminus))


def test_the_knee_is_ringed(mixed: Study) -> None:
    (ring,) = (trace for trace in front_figure(mixed).data if trace.name == "knee")
    best = knee(mixed.front, mixed.record.goals)
    assert (ring.x[0], ring.y[0]) == (best.latency_ms, best.accuracy)


def test_a_front_of_two_has_no_knee(mixed: Study) -> None:
    study = with_trials(mixed, mixed.front[:2])
    assert len(study.front) == 2
    assert "knee" not in [trace.name for trace in front_figure(study).data]
    assert "knee" not in [fact.term for fact in summary(study)]
    assert "knee</span>" not in front_table(study)
    assert "it has no knee" in captions.front_caption(study)
    assert "The ring marks the knee" in captions.front_caption(mixed)
    assert "knee" in [fact.term for fact in summary(mixed)]
    assert front_table(mixed).count("knee</span>") == 1


def test_the_front_is_said_to_be_what_nothing_dominates(mixed: Study) -> None:
    assert "no other matches in one and beats in the other" in captions.front_caption(mixed)
    (fact,) = (fact for fact in summary(mixed) if fact.term == "on the front")
    assert fact.lines[-1] == "none is as good in one and better in the other"


def test_the_evaluated_are_told_by_what_became_of_them(mixed: Study, bare: Study) -> None:
    figure, note = summary(mixed)[0].lines
    *parts, repeats = note.split(", ")
    counts = {name: int(number) for number, _, name in (part.partition(" ") for part in parts)}
    assert sum(counts.values()) == int(figure) == len(evaluated(mixed))
    untimed = [one for one in mixed.trials if one.status == "untrained" and one.latency is None]
    assert counts["left untrained"] == len(untimed) > 0
    assert {"trained", "stopped", "only timed", "failed"} < counts.keys()
    assert repeats.endswith("reused")
    alone = with_trials(mixed, mixed.front[:1])
    assert summary(alone)[0].lines == ("1", "1 trained")
    assert summary(bare)[0].lines == ("0", "none yet")


def test_shares_of_the_search_are_said_to_hold_what_a_limit_refused(mixed: Study) -> None:
    refused = "those that a limit refused too"
    assert refused in captions.choices_caption(mixed)
    assert refused not in captions.choices_caption(with_trials(mixed, mixed.front))


def test_the_limit_on_the_cost_is_drawn(mixed: Study) -> None:
    (line,) = front_figure(mixed).layout.shapes
    assert line.x0 == line.x1 == 0.45
    assert "0.45" in line.label.text


def test_another_cost_gives_its_axis(mixed: Study) -> None:
    goals = mixed.record.goals
    record = mixed.record.model_copy(update={"goals": type(goals)("params", goals.limits)})
    other = Study(mixed.folder, record, mixed.space, mixed.trials)
    figure = front_figure(other)
    assert "parameters" in figure.layout.xaxis.title.text
    assert all(trace.error_x.array is None for trace in figure.data)
    assert all(trace.xaxis == "x" for trace in figure.data if trace.customdata is not None)


def test_axis_is_logarithmic_over_more_than_a_decade(mixed: Study) -> None:
    first, *others = (trial for trial in mixed.trials if trial.latency is not None)
    assert front_figure(with_trials(mixed, [first, *others])).layout.xaxis.type == "linear"
    assert first.latency is not None
    slow = replace(first, latency=replace(first.latency, latency_ms=20.0, high_ms=20.1))
    assert front_figure(with_trials(mixed, [slow, *others])).layout.xaxis.type == "log"


def test_shares_count_the_front_and_the_evaluated(mixed: Study) -> None:
    found = shares(mixed)
    assert {each.choice.name for each in found} == {c.name for c in mixed.space.choices}
    for each in found:
        assert sum(each.on_front) == len(mixed.front)
        assert sum(each.searched) == len(evaluated(mixed))
    preferences = [each.preference for each in found]
    assert preferences == sorted(preferences, reverse=True)


@pytest.mark.parametrize("columns", [1, 2, 3])
def test_choices_show_every_option_three_times(mixed: Study, columns: int) -> None:
    figure = choices_figure(mixed, columns)
    drawn = Counter(
        (trace.name, tuple(option)) for trace in figure.data for option in trace.customdata
    )
    options = sum(len(choice.options) for choice in mixed.space.choices)
    assert len(drawn) == 3 * options
    assert set(drawn.values()) == {1}
    assert len({trace.yaxis for trace in figure.data}) == columns


@pytest.mark.parametrize("figure", FIGURES)
def test_a_study_without_a_front_still_gives_figures(
    figure: object, bare: Study, all_failed: Study
) -> None:
    for study in (bare, all_failed):
        assert callable(figure)
        drawn = figure(study)
        assert drawn.data or drawn.layout.annotations


def test_failures_without_a_latency_are_shown(all_failed: Study) -> None:
    drawn = traces_by_group(front_figure(all_failed))
    assert sorted(drawn["failed"]) == [trial.number for trial in all_failed.trials]
    assert {trace.xaxis for trace in front_figure(all_failed).data} == {"x", "x2"}


@pytest.mark.parametrize("figure", FIGURES)
def test_every_colour_has_a_dark_partner(figure: object, mixed: Study) -> None:
    assert callable(figure)
    colours = {
        value
        for value in _strings(json.loads(figure(mixed).to_json()))
        if value.startswith("#") and len(value) == 7
    }
    if figure in RAMPED:  # the ramp is bright enough for both
        return
    assert colours <= set(DARK)


def _strings(value: object) -> list[str]:
    if isinstance(value, str):
        return [value]
    if isinstance(value, dict):
        value = list(value.values())
    return [text for item in value for text in _strings(item)] if isinstance(value, list) else []
