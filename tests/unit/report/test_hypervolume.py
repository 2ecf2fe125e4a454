from __future__ import annotations

import itertools
import random
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from unit.report.fakes import fake_trial, with_trials

from mbnas.report.captions import hypervolume_caption
from mbnas.report.figures.hypervolume import hypervolume_figure, hypervolumes
from mbnas.report.groups import evaluated
from mbnas.search import Study, Trial, front, hypervolume
from mbnas.search.front import points

STEPS = st.integers(1, 6)


def naive(study: Study) -> list[float]:
    """From scratch after each trial."""
    goals, trials = study.record.goals, evaluated(study)
    return [
        hypervolume(points(front(trials[:at], goals), goals), study.record.reference)
        for at in range(1, len(trials) + 1)
    ]


@pytest.fixture(scope="module")
def example(mixed: Study) -> Trial:
    return next(trial for trial in mixed.trials if trial.status == "trained")


@given(st.lists(st.tuples(STEPS, STEPS, st.sampled_from(["trained", "stopped", "failed"]))))
def test_it_equals_the_front_made_anew_each_time(
    mixed: Study, example: Trial, drawn: list[tuple[int, int, str]]
) -> None:
    # Few values, so that ties in cost, in accuracy and in both are common; 0.5 breaks the limit.
    assert example.latency is not None
    trials = []
    for number, (accuracy, cost, status) in enumerate(drawn):
        ms = cost / 12
        latency = replace(example.latency, latency_ms=ms, low_ms=ms, high_ms=ms)
        trial = replace(example, number=number, latency=latency, accuracy=accuracy / 7)
        trials.append(replace(trial, status=status))
    study = with_trials(mixed, trials)
    assert hypervolumes(study) == naive(study)


def test_a_value_for_each_evaluated_trial(mixed: Study) -> None:
    found = hypervolumes(mixed)
    assert found == naive(mixed)
    assert len(found) == len(evaluated(mixed))
    assert found[-1] == pytest.approx(mixed.hypervolume)


def test_only_steps_and_ends_are_drawn(mixed: Study) -> None:
    (trace,) = hypervolume_figure(mixed).data
    areas = dict(zip([trial.number for trial in evaluated(mixed)], naive(mixed), strict=True))
    grew = [
        number
        for (number, area), before in zip(areas.items(), [0.0, *areas.values()], strict=False)
        if area > before
    ]
    ends = {evaluated(mixed)[0].number, evaluated(mixed)[-1].number}
    assert list(trace.x) == sorted({*grew, *ends})
    assert list(trace.y) == [areas[number] for number in trace.x]
    assert [n for n, size in zip(trace.x, trace.marker.size, strict=True) if size] == grew
    assert "enlarged it" in hypervolume_caption(mixed)


def test_over_hours_of_training(mixed: Study) -> None:
    trials = [replace(trial, training_seconds=1800.0) for trial in mixed.trials]
    study = with_trials(mixed, trials)
    (trace,) = hypervolume_figure(study, "training_hours").data
    hours = list(itertools.accumulate(0.5 for _ in evaluated(study)))
    numbers = [trial.number for trial in evaluated(study)]
    assert list(trace.x) == [hours[numbers.index(number)] for number in trace.customdata]
    assert hypervolume_figure(mixed, "training_hours").layout.annotations


def test_fifty_thousand_trials_take_no_time(mixed: Study) -> None:
    rng = random.Random(5)
    some = [fake_trial(mixed.space, number, rng) for number in range(0, 600, 6)]
    assert len(hypervolumes(with_trials(mixed, some * 500))) == 50_000


@pytest.mark.parametrize(("out", "said"), [(1, "1 of the front's {} networks lies"), (2, "2 of")])
def test_members_beyond_the_reference_are_counted(mixed: Study, out: int, said: str) -> None:
    assert "beyond" not in hypervolume_caption(mixed)
    costs = [trial.latency_ms or 0.0 for trial in mixed.front]
    record = mixed.record.model_copy(update={"reference_cost": costs[-out]})
    study = Study(mixed.folder, record, mixed.space, mixed.trials)
    caption = hypervolume_caption(study)
    assert said.format(len(costs)) in caption
    assert "beyond it" in caption
    assert not hypervolume_figure(study).layout.annotations


def test_an_area_of_nothing_is_said(mixed: Study) -> None:
    record = mixed.record.model_copy(update={"reference_accuracy": 1.0})
    study = Study(mixed.folder, record, mixed.space, mixed.trials)
    (said,) = hypervolume_figure(study).layout.annotations
    assert "the area is 0" in said.text
    assert f"{len(mixed.front)} of the front's" in hypervolume_caption(study)
