"""Baselines among the trials, and what is said of them."""

from __future__ import annotations

from dataclasses import replace

import plotly.graph_objects as go
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
    one = timed(contested(failure), mixed.record.reference_cost / 2)
    assert len(hypervolume_with(mixed, monkeypatch, one).shapes) == (0 if failure else 1)


def test_baselines_beyond_the_reference_are_not_said_to_be_worthless(
    mixed: Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    reference = mixed.record.reference_cost
    one, slow = (timed(contested(None), share * reference) for share in (0.5, 1.5))
    assert not hypervolume_with(mixed, monkeypatch, slow).shapes
    layout = hypervolume_with(mixed, monkeypatch, one, slow)
    assert layout.annotations[0].text == "baselines (1 of 2 within the reference)"
    (alone,) = hypervolume_with(mixed, monkeypatch, one).annotations
    assert (alone.text, alone.y) == ("baselines", layout.annotations[0].y)


def timed(one: Contested, latency_ms: float) -> Contested:
    """The same network with another latency."""
    (latency,) = one.latencies
    return replace(one, latencies=(replace(latency, latency_ms=latency_ms),))


def hypervolume_with(study: Study, monkeypatch: pytest.MonkeyPatch, *those: Contested) -> go.Layout:
    """How the hypervolume's figure is laid out beside some baselines."""
    found = Contests(Baselines(those, None, None, None), None)
    monkeypatch.setattr(hypervolume, "contests", lambda _: found)
    return hypervolume_figure(study).layout
