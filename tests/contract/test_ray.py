"""What the engine keeps that evaluates on Ray, beside what every engine keeps."""

from __future__ import annotations

import contextlib
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from engine_fakes import ignore, wait_until
from helpers import some_architectures, stripes, tiny_space
from ray_fakes import Broken, Held, Opened, network, ray

from mbnas.engine import Failed, LaidDown, Measure, Measured, Train, Trained
from mbnas.errors import BuildError, MeasureError
from mbnas.measure.cores import CoreLock
from mbnas.measure.latency import OrtLatencyMeter
from mbnas.measure.parity import ParityError
from mbnas.network import Architecture
from mbnas.testing import FakeTrainer, fake_accuracy, fake_latency_ms
from mbnas.training.recipe import Recipe
from mbnas.training.torch_trainer import TorchTrainer
from mbnas.training.trainer import (
    Assignment,
    Epoch,
    NonFiniteLossError,
    OutOfMemoryError,
    OutOfTimeError,
)

# Workers cannot import this module: its fakes are sent whole.
ray.cloudpickle.register_pickle_by_value(sys.modules[__name__])


def test_outcomes_belong_to_their_trials(opened: Opened) -> None:
    first, second = some_architectures(tiny_space(), 2)
    heard: list[tuple[int, int]] = []
    engine = opened()
    assert engine.capacity == 3
    engine.submit(Measure(4, first))
    engine.submit(Train(9, Assignment(second, 0)))
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


def test_a_job_to_a_rung_comes_back_unfinished_and_goes_on(opened: Opened, tmp_path: Path) -> None:
    assignment = Assignment(network(), 0, until=1, checkpoint=tmp_path / "17" / "checkpoint")
    engine = opened()
    heard: list[int] = []
    engine.submit(Train(0, assignment))
    laid_down = engine.wait(lambda _, epoch: heard.append(epoch.epoch))
    engine.submit(Train(0, replace(assignment, until=None)))
    whole = engine.wait(lambda _, epoch: heard.append(epoch.epoch))
    assert isinstance(laid_down, Trained)
    assert isinstance(whole, Trained)
    assert (laid_down.training.finished, len(laid_down.training.curve)) == (False, 1)
    assert (whole.training.finished, len(whole.training.curve)) == (True, 3)
    assert heard == [1, 2, 3]


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (NonFiniteLossError("epoch 1: the training loss is nan"), "non-finite"),
        (OutOfMemoryError("training on cuda: no room"), "out of memory"),
        (OutOfTimeError("not trained within 3 s"), "timeout"),
        (MeasureError("cannot run"), "latency"),
        (ParityError("differ"), "parity"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_named_failures_fail_the_trial_with_their_reason(
    opened: Opened, error: Exception, kind: str
) -> None:
    def fail(_: Architecture) -> None:
        raise error

    engine = opened(FakeTrainer(before=fail))
    engine.submit(Train(1, Assignment(network(), 0)))
    outcome = engine.wait(ignore)
    assert isinstance(outcome, Failed)
    assert (outcome.trial, outcome.kind, outcome.reason) == (1, kind, str(error))
    assert "Traceback" in outcome.log


def test_a_network_that_cannot_be_timed_fails_its_trial(opened: Opened) -> None:
    engine = opened(meter=Broken())
    engine.submit(Measure(5, network()))
    outcome = engine.wait(ignore)
    assert isinstance(outcome, Failed)
    assert (outcome.trial, outcome.kind, outcome.reason) == (5, "latency", "cannot run")


def test_any_other_error_stops_everything(opened: Opened) -> None:
    def fail(_: Architecture) -> None:
        raise ZeroDivisionError("by nought")

    engine = opened(FakeTrainer(before=fail))
    engine.submit(Train(1, Assignment(network(), 0)))
    with pytest.raises(ZeroDivisionError, match="by nought") as caught:
        engine.wait(ignore)
    assert type(caught.value) is ZeroDivisionError
    assert "in a Ray worker:" in caught.value.__notes__[0]
    assert "in fail" in caught.value.__notes__[0]


def test_a_gpu_that_fails_costs_what_a_crash_costs(opened: Opened) -> None:
    def fail(_: Architecture) -> None:
        raise torch.AcceleratorError("uncorrectable ECC")

    engine = opened(FakeTrainer(before=fail))
    engine.submit(Train(7, Assignment(network(), 0)))
    lost = engine.wait(ignore)
    engine.submit(Measure(8, network()))
    assert isinstance(engine.wait(ignore), Measured)
    assert isinstance(lost, Failed)
    assert (lost.trial, lost.kind) == (7, "lost worker")


def test_an_epoch_is_on_this_disk_before_it_is_heard_of(opened: Opened, tmp_path: Path) -> None:
    checkpoint = tmp_path / "checkpoint"
    engine = opened()
    engine.submit(Train(0, Assignment(network(), 0, checkpoint=checkpoint)))
    held: list[str] = []
    engine.wait(lambda *_: held.append(checkpoint.read_text().split()[1]))
    assert held == ["1", "2", "2"]  # the last epoch leaves none


def test_a_halted_engine_lays_its_jobs_down(opened: Opened, tmp_path: Path) -> None:
    some = some_architectures(tiny_space(), 4)
    engine = opened(Held(tmp_path, epochs=10_000))
    for trial, one in enumerate(some):
        engine.submit(Train(trial, Assignment(one, 0, checkpoint=tmp_path / f"{trial}.kept")))
    heard: list[int] = []

    def hear(trial: int, epoch: Epoch) -> None:
        heard.append(trial)
        if len(heard) == 1:
            engine.halt()

    outcomes = [engine.wait(hear) for _ in some]
    assert {type(outcome) for outcome in outcomes} == {LaidDown}
    assert sorted(outcome.trial for outcome in outcomes) == [0, 1, 2, 3]
    for trial in heard:
        assert (tmp_path / f"{trial}.kept").read_text().split()[1] == "1"
    assert len(list(tmp_path.glob("*.kept"))) == len(heard) < len(some)


def test_a_checkpoint_that_cannot_be_written_stops_the_search(
    opened: Opened, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    engine = opened()
    engine.submit(Train(0, Assignment(network(), 0, checkpoint=tmp_path / "file" / "checkpoint")))
    with pytest.raises(BuildError, match="cannot be written"):
        engine.wait(ignore)


def test_a_training_on_the_cores_pauses_for_measurements(opened: Opened, tmp_path: Path) -> None:
    class OnCores(Held):
        @property
        def uses_cores(self) -> bool:
            return True

    trainer = OnCores(tmp_path)
    engine = opened(trainer)
    engine.submit(Train(1, Assignment(network(), 0)))
    wait_until(trainer.trainers)
    with CoreLock().alone():  # once the training gives way at a step
        (tmp_path / "go").touch()
    assert isinstance(engine.wait(ignore), Trained)


def test_a_measurement_that_waits_for_its_cores_is_told_of(opened: Opened) -> None:
    waits: list[bool] = []
    with contextlib.ExitStack() as held:

        def hear() -> None:
            waits.append(True)
            held.close()

        engine = opened(meter=OrtLatencyMeter(threads=1, seconds=0.05), on_wait=hear)
        held.enter_context(CoreLock().alone())
        engine.submit(Measure(0, network()))
        assert isinstance(engine.wait(ignore), Measured)
    assert waits == [True]


def test_a_really_trained_network_comes_with_an_equal_model(opened: Opened, tmp_path: Path) -> None:
    trainer = TorchTrainer(
        stripes(256), stripes(64), 2, Recipe(epochs=2), flip=True, crop=True, device="cpu"
    )
    here = trainer.train(Assignment(network(), 0), lambda _: None)
    engine = opened(trainer, classes=2)
    engine.submit(Train(0, Assignment(network(), 0, checkpoint=tmp_path / "checkpoint")))
    outcome = engine.wait(ignore)
    assert isinstance(outcome, Trained), outcome
    assert outcome.model is not None
    assert [e.accuracy for e in outcome.training.curve] == [e.accuracy for e in here.curve]
    assert all(weight.flags.writeable for weight in outcome.training.weights.values())
