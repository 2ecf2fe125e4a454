"""The figures of what a search learned."""

from __future__ import annotations

import random
import time
from dataclasses import replace

import pytest
from unit.report.fakes import numbered, with_trials

from mbnas.report import (
    captions,
    curves_figure,
    importance_figure,
    latency_figure,
    parallel_figure,
    time_figure,
)
from mbnas.report.figures.curves import MOST
from mbnas.report.figures.importance import chance, importances
from mbnas.report.figures.parallel import SAMPLE
from mbnas.report.groups import groups
from mbnas.search import Study, Trial


def test_what_decides_the_accuracy_comes_first(mixed: Study) -> None:
    first = mixed.space.choices[0]
    trained = [trial for trial in mixed.trials if trial.status == "trained"]
    trials = [
        replace(trial, accuracy=0.3 + 0.5 * first.labels.index(trial.params[first.name]))
        for trial in trained
    ]
    found = importances(with_trials(mixed, trials))
    assert found[0].choice == first.name
    assert found[0].quality > 0.9 > found[0].cost
    assert sum(one.quality for one in found) <= 1
    assert {one.choice for one in found} == {choice.name for choice in mixed.space.choices}


def test_what_choices_bring_only_together_is_no_choices_share(mixed: Study) -> None:
    one, other = mixed.space.choices[:2]
    trained = [trial for trial in mixed.trials if trial.status == "trained"]

    def differ(trial: Trial) -> bool:
        is_first = [choice.labels.index(trial.params[choice.name]) == 0 for choice in (one, other)]
        return is_first[0] != is_first[1]

    trials = [replace(trial, accuracy=0.3 + 0.5 * differ(trial)) for trial in trained]
    found = importances(with_trials(mixed, trials))
    assert 0 < sum(one.quality for one in found) < 0.8


def test_importance_has_two_bars_a_choice(mixed: Study) -> None:
    figure = importance_figure(mixed)
    quality, cost = figure.data
    assert list(quality.y) == list(cost.y) == [one.choice for one in importances(mixed)][:15]
    assert quality.marker.pattern.shape != cost.marker.pattern.shape
    assert "fANOVA" in captions.importance_caption(mixed)


def test_chance_reaches_what_noise_explains_and_not_what_a_choice_does(mixed: Study) -> None:
    rng = random.Random(0)
    trained = [trial for trial in mixed.trials if trial.status == "trained"][:13]
    first = mixed.space.choices[0]
    noise = with_trials(mixed, [replace(trial, accuracy=rng.random()) for trial in trained])
    decided = [
        replace(trial, accuracy=0.3 + 0.5 * first.labels.index(trial.params[first.name]))
        for trial in trained
    ]
    for study, is_noise in ((noise, True), (with_trials(mixed, decided), False)):
        found, top = chance(study), max(one.quality for one in importances(study))
        assert found is not None
        assert found.networks == 13
        assert 0.1 < found.share < 0.8, "thirteen networks say little"
        assert (top < found.share) == is_noise
        (band,) = importance_figure(study).layout.shapes
        assert (band.x0, band.x1, band.layer) == (0, found.share, "below")
        caption = captions.importance_caption(study)
        assert "among 13 trained networks" in caption
        assert f"{found.share:.0%} in one case of twenty" in caption


def test_chance_reaches_less_far_among_more_networks(mixed: Study) -> None:
    trained = [trial for trial in mixed.trials if trial.status == "trained"]
    few, many = chance(with_trials(mixed, trained[:10])), chance(with_trials(mixed, trained))
    assert few is not None
    assert many is not None
    assert many.networks == len(trained) > few.networks == 10
    assert many.share < few.share
    assert chance(with_trials(mixed, trained[:9])) is None


def test_too_few_trainings_say_so(mixed: Study) -> None:
    trained = [trial for trial in mixed.trials if trial.status == "trained"]
    for trials in (trained[:9], [replace(trial, accuracy=0.5) for trial in trained]):
        (said,) = importance_figure(with_trials(mixed, trials)).layout.annotations
        assert "10 trained networks" in said.text


def test_a_network_from_outside_the_space_does_not_disturb(mixed: Study) -> None:
    outside = replace(mixed.front[-1], number=1000, params={}, outside=True, accuracy=0.99)
    study = with_trials(mixed, [*mixed.trials, outside])
    assert importances(study) == importances(mixed)
    lines = [trace for trace in parallel_figure(study).data if trace.meta == 1000]
    assert [y is not None for y in lines[0].y] == [False] * 14 + [True, True]


def test_importance_of_thousands_is_quick(mixed: Study) -> None:
    trained = [trial for trial in mixed.trials if trial.status == "trained"]
    study = with_trials(mixed, numbered(trained * 400))
    began = time.process_time()
    importance_figure(study)
    assert time.process_time() - began < 6.0  # below 1 on a machine with nothing else to do


@pytest.mark.parametrize("most", [4, 14])
def test_parallel_lines_run_through_the_trials_options(mixed: Study, most: int) -> None:
    figure = parallel_figure(mixed, most)
    names = figure.layout.xaxis.ticktext
    assert len(names) == min(most, len(mixed.space.choices)) + 2
    labels = {(label.x, label.text): label.y for label in figure.layout.annotations}
    members = {trace.meta: trace for trace in figure.data if trace.meta is not None}
    assert list(members) == [trial.number for trial in mixed.front]
    for number, trace in members.items():
        for at, name in enumerate(names[:-2]):
            middle = labels[at, str(mixed.trial(number).params[name])]
            assert abs(trace.y[at] - middle) < 0.15
        assert f"trial {number}<" in trace.hovertext[0]
    heights = [trace.y[-2] for trace in members.values()]
    assert heights == sorted(heights), "the cost ascends along the front"


def test_what_stands_beside_the_last_two_axes_does_not_collide(mixed: Study) -> None:
    figure = parallel_figure(mixed)
    last = len(figure.layout.xaxis.ticktext) - 1
    sides = {(label.x, label.y): label.xanchor for label in figure.layout.annotations}
    for height in (0.0, 1.0):
        assert (sides[last - 1, height], sides[last, height]) == ("right", "left")


def test_the_others_are_one_pale_trace(mixed: Study) -> None:
    others = groups(mixed)["dominated"]
    (trace,) = (trace for trace in parallel_figure(mixed).data if trace.meta is None)
    step = len(mixed.space.choices[:14]) + 3
    assert len(trace.y) == len(others) * step
    assert all(y != y for y in trace.y[step - 1 :: step]), "a gap parts the lines"
    assert trace.hovertext[0] == f"trial {others[0].number}"
    many = with_trials(mixed, numbered(mixed.trials * 40))
    (trace,) = (trace for trace in parallel_figure(many).data if trace.meta is None)
    assert len(trace.y) == SAMPLE * step


def test_the_time_adds_up(mixed: Study) -> None:
    source = mixed.front[0].number
    trials = [
        replace(trial, reused_from=source)
        if trial.status == "reused"
        else replace(trial, training_seconds=60.0 * len(trial.curve), latency_seconds=2.0)
        for trial in mixed.trials
    ]
    study = with_trials(mixed, trials)
    assert study.savings.repeats > 0
    figure = time_figure(study)
    spent = {trace.name.partition(":")[0]: trace.x[0] * 60 for trace in figure.data}
    found = groups(study)
    assert spent["trained, on the front"] == pytest.approx(240 * len(found["front"]))
    assert spent["stopped at a rung"] == pytest.approx(120 * len(found["stopped"]))
    assert spent["measuring latency"] == pytest.approx(2 * sum(map(len, found.values())))
    (said,) = figure.layout.annotations
    assert f"{study.savings.repeats} repeats" in said.text
    assert "added up" in captions.time_caption(study)
    patterns = [trace.marker.pattern.shape for trace in figure.data]
    assert len(set(patterns)) == len(patterns)


def test_no_recorded_time_is_said(mixed: Study) -> None:
    (said,) = time_figure(mixed).layout.annotations
    assert said.text == "no time was recorded"


def test_a_latency_beside_others(mixed: Study) -> None:
    first, *others = mixed.front
    unmeasured = next(trial for trial in mixed.trials if trial.latency is None)
    figure = latency_figure(first, [*others, unmeasured])
    assert list(figure.layout.yaxis.ticktext) == [
        f"<b>trial {first.number}</b>",
        *(f"trial {trial.number}" for trial in others),
    ]
    estimate = figure.data[-1]
    assert list(estimate.x) == [trial.latency_ms for trial in mixed.front]
    assert first.latency is not None
    assert estimate.x[0] + estimate.error_x.array[0] == pytest.approx(first.latency.high_ms)
    assert len({trace.marker.symbol for trace in figure.data}) == 3
    assert f"trial {first.number}" in captions.latency_caption(first)
    (said,) = latency_figure(unmeasured).layout.annotations
    assert "was not measured" in said.text


def test_curves_are_the_fronts(mixed: Study) -> None:
    drawn = {trace.meta: list(trace.y) for trace in curves_figure(mixed).data}
    assert drawn == {
        trial.number: [epoch.accuracy for epoch in trial.curve] for trial in mixed.front
    }


def test_curves_of_given_trials_from_cheap_to_costly(mixed: Study) -> None:
    stopped = groups(mixed)["stopped"]
    drawn = [trace.meta for trace in curves_figure(mixed, stopped).data]
    assert drawn == [t.number for t in sorted(stopped, key=lambda t: t.latency_ms or 0.0)]
    assert curves_figure(mixed, []).layout.annotations


def test_of_many_curves_some_are_drawn_and_both_ends(mixed: Study) -> None:
    trained = numbered([trial for trial in mixed.trials if trial.curve] * 4)
    by_cost = sorted(trained, key=lambda trial: trial.latency_ms or 0.0)
    drawn = [trace.meta for trace in curves_figure(mixed, trained).data]
    assert len(drawn) == MOST
    assert (drawn[0], drawn[-1]) == (by_cost[0].number, by_cost[-1].number)
