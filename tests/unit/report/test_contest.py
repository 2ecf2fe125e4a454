"""Baselines among the trials, and what is said of them."""

from __future__ import annotations

import pytest

from mbnas.analysis.baselines import Baselines
from mbnas.analysis.contenders import baseline
from mbnas.analysis.contest import Contested
from mbnas.analysis.trainings import Done
from mbnas.report import front_figure
from mbnas.report.captions import front_caption
from mbnas.report.contests import Contests
from mbnas.report.figures import contest, hypervolume
from mbnas.report.figures.front import Axes
from mbnas.report.figures.hypervolume import hypervolume_figure
from mbnas.search import Study
from mbnas.testing import FakeLatencyMeter, FakeTrainer
from mbnas.training.trainer import Assignment


def contested(failure: str | None) -> Contested:
    contender = baseline("mobilenet_v2@0.35", 16)
    (latency,) = FakeLatencyMeter().measure([contender.network], 10)
    training = FakeTrainer().train(Assignment(contender.network, 0), lambda _: None)
    curve = () if failure else training.curve
    run = Done(id=contender.id, seed=0, curve=curve, seconds=1.0, failure=failure)
    return Contested(contender, (run,), (latency,), contender.costs(10), ())


@pytest.mark.parametrize(
    ("axes", "failure", "drawn"),
    [
        (None, None, True),
        (Axes("params", "balanced_accuracy"), None, True),
        (Axes("params", "training_seconds"), None, False),
        (Axes("training_seconds", "accuracy"), None, False),
        (None, "NonFiniteLossError: the loss is nan", False),
    ],
)
def test_crosses_are_named_where_some_are_drawn(
    mixed: Study,
    monkeypatch: pytest.MonkeyPatch,
    axes: Axes | None,
    failure: str | None,
    drawn: bool,
) -> None:
    found = Contests(Baselines((contested(failure),), None, None, None), None)
    monkeypatch.setattr(contest, "contests", lambda _: found)
    marks = [trace.meta for trace in front_figure(mixed, axes).data]
    assert ("baselines" in marks) == drawn
    assert ("Crosses are baselines" in front_caption(mixed, axes)) == drawn


@pytest.mark.parametrize("failure", [None, "NonFiniteLossError: the loss is nan"])
def test_the_baselines_area_is_drawn_if_any_of_them_stands(
    mixed: Study, monkeypatch: pytest.MonkeyPatch, failure: str | None
) -> None:
    found = Contests(Baselines((contested(failure),), None, None, None), None)
    monkeypatch.setattr(hypervolume, "contests", lambda _: found)
    lines = hypervolume_figure(mixed).layout.shapes
    assert len(lines) == (0 if failure else 1)
