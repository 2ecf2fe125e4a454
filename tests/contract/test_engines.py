"""What every engine keeps."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from helpers import some_architectures, stripes, tiny_space

from mbnas.engine import Engine, Failed, LocalEngine, Measure, Measured, Train, Trained
from mbnas.errors import MeasureError
from mbnas.measure.latency import Latency
from mbnas.measure.parity import ParityError
from mbnas.measure.recipe import Recipe
from mbnas.measure.training import Epoch, NonFiniteLossError, OutOfMemoryError, TorchTrainer
from mbnas.network import Architecture
from mbnas.testing import FakeLatencyMeter, FakeTrainer, fake_accuracy, fake_latency_ms


def local(trainer: FakeTrainer | None = None) -> Engine:
    return LocalEngine(trainer or FakeTrainer(), FakeLatencyMeter(), classes=10)


def ignore(trial: int, epoch: Epoch) -> None:
    """Hears nothing."""


def test_outcomes_belong_to_their_trials() -> None:
    engine = local()
    first, second = some_architectures(tiny_space(), 2)
    engine.submit(Measure(4, first))
    engine.submit(Train(9, second, seed=0))
    heard: list[tuple[int, int]] = []
    outcomes = {
        outcome.trial: outcome
        for outcome in (
            engine.wait(lambda trial, epoch: heard.append((trial, epoch.epoch))) for _ in range(2)
        )
    }
    measured, trained = outcomes[4], outcomes[9]
    assert isinstance(measured, Measured)
    assert measured.latency.latency_ms == fake_latency_ms(first)
    assert isinstance(trained, Trained)
    assert trained.training.accuracy == fake_accuracy(second)
    assert heard == [(9, 1), (9, 2), (9, 3)]
    assert engine.capacity >= 1


@pytest.mark.parametrize(
    "error",
    [
        NonFiniteLossError("epoch 1: the training loss is nan"),
        OutOfMemoryError("training on cuda: no room"),
        MemoryError("no room"),
        MeasureError("cannot run"),
        ParityError("differ"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_named_failures_fail_the_trial_with_their_reason(error: Exception) -> None:
    def fail(_: Architecture) -> None:
        raise error

    engine = local(FakeTrainer(before=fail))
    engine.submit(Train(1, some_architectures(tiny_space(), 1)[0], seed=0))
    outcome = engine.wait(ignore)
    assert isinstance(outcome, Failed)
    assert outcome.reason == f"{type(error).__name__}: {error}"


def test_a_network_that_cannot_be_timed_fails_its_trial() -> None:
    class Broken(FakeLatencyMeter):
        def measure(self, architectures: Sequence[Architecture], classes: int) -> list[Latency]:
            raise MeasureError("cannot run")

    engine = LocalEngine(FakeTrainer(), Broken(), classes=10)
    engine.submit(Measure(5, some_architectures(tiny_space(), 1)[0]))
    outcome = engine.wait(ignore)
    assert isinstance(outcome, Failed)
    assert (outcome.trial, outcome.reason) == (5, "MeasureError: cannot run")


def test_any_other_error_stops_everything() -> None:
    def fail(_: Architecture) -> None:
        raise ZeroDivisionError

    engine = local(FakeTrainer(before=fail))
    engine.submit(Train(1, some_architectures(tiny_space(), 1)[0], seed=0))
    with pytest.raises(ZeroDivisionError):
        engine.wait(ignore)


def test_a_really_trained_network_comes_with_an_equal_model() -> None:
    trainer = TorchTrainer(
        stripes(128), stripes(64), 2, Recipe(epochs=1), flip=True, crop=True, device="cpu"
    )
    engine = LocalEngine(trainer, FakeLatencyMeter(), classes=2)
    engine.submit(Train(0, some_architectures(tiny_space(), 1)[0], seed=0))
    outcome = engine.wait(ignore)
    assert isinstance(outcome, Trained)
    assert outcome.model is not None
    assert len(outcome.model) > 1000
