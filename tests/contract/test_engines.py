"""What every engine keeps."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from engine_fakes import (
    BrokenMeter,
    Make,
    Meets,
    Raises,
    Slow,
    ignore,
    local,
    opened,
    packed,
    workers,
)
from helpers import some_architectures, stripes, tiny_space

from mbnas.engine import (
    Failed,
    FailureKind,
    LaidDown,
    LocalEngine,
    Measure,
    Measured,
    Train,
    Trained,
)
from mbnas.errors import DataError, ExportError, MeasureError
from mbnas.measure.parity import ParityError
from mbnas.testing import FakeLatencyMeter, FakeTrainer, fake_accuracy, fake_latency_ms
from mbnas.training.recipe import Recipe
from mbnas.training.torch_trainer import TorchTrainer
from mbnas.training.trainer import (
    Assignment,
    Epoch,
    NonFiniteLossError,
    OutOfMemoryError,
    OutOfTimeError,
)

every_engine = pytest.mark.parametrize("make", [local, packed, workers])
in_this_process = pytest.mark.parametrize("make", [local, packed])


@every_engine
def test_outcomes_belong_to_their_trials(make: Make) -> None:
    first, second = some_architectures(tiny_space(), 2)
    heard: list[tuple[int, int]] = []
    with opened(make) as engine:
        assert engine.capacity >= 1
        engine.submit(Measure(4, first))
        engine.submit(Train(9, Assignment(second, 0)))
        outcomes = {
            outcome.trial: outcome
            for outcome in (
                engine.wait(lambda trial, epoch: heard.append((trial, epoch.epoch)))
                for _ in range(2)
            )
        }
    measured, trained = outcomes[4], outcomes[9]
    assert isinstance(measured, Measured)
    assert measured.latency.latency_ms == fake_latency_ms(first)
    assert isinstance(trained, Trained)
    assert trained.training.accuracy == fake_accuracy(second)
    assert heard == [(9, 1), (9, 2), (9, 3)]


@every_engine
def test_a_job_to_a_rung_comes_back_unfinished_and_goes_on(make: Make, tmp_path: Path) -> None:
    (network,) = some_architectures(tiny_space(), 1)
    assignment = Assignment(network, 0, until=1, checkpoint=tmp_path / "checkpoint")
    with opened(make) as engine:
        engine.submit(Train(0, assignment))
        laid_down = engine.wait(ignore)
        engine.submit(Train(0, replace(assignment, until=None)))
        whole = engine.wait(ignore)
    assert isinstance(laid_down, Trained)
    assert isinstance(whole, Trained)
    assert (laid_down.training.finished, len(laid_down.training.curve)) == (False, 1)
    assert (whole.training.finished, len(whole.training.curve)) == (True, 3)


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (NonFiniteLossError("epoch 1: the training loss is nan"), "non-finite"),
        (OutOfMemoryError("training on cuda: no room"), "out of memory"),
        (MemoryError("no room"), "out of memory"),
        (OutOfTimeError("not trained within 3 s"), "timeout"),
        (MeasureError("cannot run"), "latency"),
        (ParityError("differ"), "parity"),
        (ExportError("no such operator"), "export"),
        (DataError("an image is gone"), "data"),
    ],
    ids=lambda one: one if isinstance(one, str) else type(one).__name__,
)
@every_engine
def test_named_failures_fail_the_trial_with_their_reason(
    make: Make, error: Exception, kind: FailureKind
) -> None:
    with opened(make, FakeTrainer(before=Raises(error))) as engine:
        engine.submit(Train(1, Assignment(some_architectures(tiny_space(), 1)[0], 0)))
        outcome = engine.wait(ignore)
    assert isinstance(outcome, Failed)
    assert (outcome.kind, outcome.reason) == (kind, str(error))
    assert outcome.log.endswith(f"{type(error).__name__}: {error}")
    assert "in __call__" in outcome.log


@every_engine
def test_a_network_that_cannot_be_timed_fails_its_trial(make: Make) -> None:
    with opened(make, meter=BrokenMeter(MeasureError("cannot run"))) as engine:
        engine.submit(Measure(5, some_architectures(tiny_space(), 1)[0]))
        outcome = engine.wait(ignore)
    assert isinstance(outcome, Failed)
    assert (outcome.trial, outcome.kind, outcome.reason) == (5, "latency", "cannot run")


@every_engine
def test_any_other_error_stops_everything(make: Make) -> None:
    with opened(make, FakeTrainer(before=Raises(ZeroDivisionError("by hand")))) as engine:
        engine.submit(Train(1, Assignment(some_architectures(tiny_space(), 1)[0], 0)))
        with pytest.raises(ZeroDivisionError, match="by hand") as caught:
            engine.wait(ignore)
    told = [str(entry.path) for entry in caught.traceback] + getattr(caught.value, "__notes__", [])
    assert any("engine_fakes.py" in one for one in told)


@every_engine
def test_a_training_that_is_out_of_time_fails(make: Make) -> None:
    trainer = FakeTrainer(epochs=10_000, seconds_per_epoch=0.01)
    with opened(make, trainer) as engine:
        (network,) = some_architectures(tiny_space(), 1)
        engine.submit(Train(1, Assignment(network, 0), seconds=0.05))
        outcome = engine.wait(ignore)
    assert isinstance(outcome, Failed)
    assert (outcome.kind, outcome.reason) == ("timeout", "not trained within 0.05 s")


@every_engine
def test_a_halted_engine_lays_everything_down_at_an_epoch(make: Make, tmp_path: Path) -> None:
    some = some_architectures(tiny_space(), 4)
    checkpoints = [tmp_path / str(trial) for trial in range(len(some))]
    heard: dict[int, int] = {}
    with opened(make, FakeTrainer(epochs=1000, seconds_per_epoch=0.01)) as engine:

        def halt(trial: int, epoch: Epoch) -> None:
            heard[trial] = epoch.epoch
            engine.halt()

        for trial, network in enumerate(some):
            engine.submit(Train(trial, Assignment(network, 0, checkpoint=checkpoints[trial])))
        outcomes = [engine.wait(halt) for _ in some]
    assert sorted(outcome.trial for outcome in outcomes) == [0, 1, 2, 3]
    assert all(isinstance(outcome, LaidDown) for outcome in outcomes)
    assert heard
    for trial, epoch in heard.items():
        assert epoch <= int(checkpoints[trial].read_text().split()[1]) < 1000


@pytest.mark.parametrize("make", [packed, workers])
def test_a_pack_trains_several_at_once(make: Make, tmp_path: Path) -> None:
    some = some_architectures(tiny_space(), 2)
    trainer = FakeTrainer(before=Meets(tmp_path, 2))  # none ends before both have begun
    heard: list[int] = []
    with opened(make, trainer) as engine:
        for trial, network in enumerate(some):
            engine.submit(Train(trial, Assignment(network, 0)))
        outcomes = [engine.wait(lambda trial, _: heard.append(trial)) for _ in some]
    assert sorted(outcome.trial for outcome in outcomes) == [0, 1]
    assert sorted(heard) == [0, 0, 0, 1, 1, 1]


@pytest.mark.parametrize("make", [packed, workers])
def test_whichever_ends_first_comes_first(make: Make, tmp_path: Path) -> None:
    slow, quick = some_architectures(tiny_space(), 2)
    with opened(make, FakeTrainer(epochs=1, before=Slow(slow.id, tmp_path / "go"))) as engine:
        engine.submit(Train(0, Assignment(slow, 0)))
        engine.submit(Train(1, Assignment(quick, 0)))
        first = engine.wait(ignore)
        (tmp_path / "go").touch()
        second = engine.wait(ignore)
    assert [first.trial, second.trial] == [1, 0]


def test_a_really_trained_network_comes_with_an_equal_model() -> None:
    trainer = TorchTrainer(
        stripes(128), stripes(64), 2, Recipe(epochs=1), flip=True, crop=True, device="cpu"
    )
    engine = LocalEngine(trainer, FakeLatencyMeter(), classes=2)
    engine.submit(Train(0, Assignment(some_architectures(tiny_space(), 1)[0], 0)))
    outcome = engine.wait(ignore)
    assert isinstance(outcome, Trained)
    assert outcome.model is not None
    assert len(outcome.model) > 1000
