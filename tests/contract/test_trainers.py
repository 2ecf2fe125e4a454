"""What every trainer keeps, the fake included."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from helpers import some_architectures, stripes, tiny_space

from mbnas.network import Architecture
from mbnas.testing import FakeTrainer
from mbnas.training.recipe import Recipe
from mbnas.training.torch_trainer import TorchTrainer
from mbnas.training.trainer import Assignment, Epoch, Trainer, Training

EPOCHS = 4


def torch_trainer() -> Trainer:
    recipe = Recipe(epochs=EPOCHS)
    return TorchTrainer(
        stripes(320), stripes(80, seed=1), 2, recipe, flip=True, crop=True, device="cpu"
    )


@pytest.fixture(params=[torch_trainer, lambda: FakeTrainer(EPOCHS)], ids=["torch", "fake"])
def trainer(request: pytest.FixtureRequest) -> Trainer:
    made: Trainer = request.param()
    return made


def network() -> Architecture:
    return some_architectures(tiny_space(head={"dropout": 0.3}), 1)[0]


def learned(training: Training) -> list[tuple[float, float, float]]:
    return [(e.loss, e.accuracy, e.balanced_accuracy) for e in training.curve]


def assert_equal(one: Training, other: Training) -> None:
    assert learned(one) == learned(other)
    assert one.weights.keys() == other.weights.keys()
    for name, value in one.weights.items():
        np.testing.assert_array_equal(value, other.weights[name])


def test_curve_is_told_epoch_by_epoch_and_returned_whole(trainer: Trainer) -> None:
    heard: list[Epoch] = []
    training = trainer.train(Assignment(network(), 0), heard.append)
    assert training.finished
    assert heard == list(training.curve)
    assert [epoch.epoch for epoch in heard] == list(range(1, trainer.epochs + 1))
    for epoch in heard:
        assert 0 <= epoch.accuracy <= 1
        assert 0 <= epoch.balanced_accuracy <= 1
        assert np.isfinite(epoch.loss)
    assert training.accuracy == heard[-1].accuracy
    seconds = [epoch.seconds for epoch in heard]
    assert seconds == sorted(seconds)


def test_same_seed_gives_the_same_result(trainer: Trainer) -> None:
    first = trainer.train(Assignment(network(), 7), lambda _: None)
    torch.rand(3)  # what others draw does not matter
    assert_equal(trainer.train(Assignment(network(), 7), lambda _: None), first)


def test_laid_down_at_rungs_it_hears_each_epoch_once_and_ends_the_same(
    trainer: Trainer, tmp_path: Path
) -> None:
    checkpoint = tmp_path / "trial" / "checkpoint"
    heard: list[int] = []

    def train(until: int | None) -> Training:
        assignment = Assignment(network(), 3, until=until, checkpoint=checkpoint)
        return trainer.train(assignment, lambda epoch: heard.append(epoch.epoch))

    for until in (1, 3):
        part = train(until)
        assert not part.finished
        assert len(part.curve) == until
        assert not part.weights
    again = train(3)  # nothing is left to do up to there
    assert learned(again) == learned(part)
    whole = train(None)
    assert heard == [1, 2, 3, 4]
    assert_equal(whole, trainer.train(Assignment(network(), 3), lambda _: None))


def test_a_rung_beyond_the_end_is_the_end(trainer: Trainer) -> None:
    training = trainer.train(Assignment(network(), 0, until=99), lambda _: None)
    assert training.finished
    assert len(training.curve) == EPOCHS


def test_estimates_are_a_time_and_a_share(trainer: Trainer) -> None:
    assert trainer.estimate_seconds(network()) >= 0
    assert 0 <= trainer.memory(network()) < 1
