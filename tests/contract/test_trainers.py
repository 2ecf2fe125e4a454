"""What every trainer keeps, the fake included."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from helpers import some_architectures, stripes, tiny_space

from mbnas.measure.recipe import Recipe
from mbnas.measure.training import Epoch, TorchTrainer, Trainer
from mbnas.testing import FakeTrainer

EPOCHS = 3


def torch_trainer() -> Trainer:
    recipe = Recipe(epochs=EPOCHS)
    return TorchTrainer(
        stripes(320), stripes(80, seed=1), 2, recipe, flip=True, crop=True, device="cpu"
    )


@pytest.fixture(params=[torch_trainer, lambda: FakeTrainer(EPOCHS)], ids=["torch", "fake"])
def trainer(request: pytest.FixtureRequest) -> Trainer:
    made: Trainer = request.param()
    return made


def test_curve_is_told_epoch_by_epoch_and_returned_whole(trainer: Trainer) -> None:
    heard: list[Epoch] = []
    training = trainer.train(some_architectures(tiny_space(), 1)[0], 0, heard.append)
    assert heard == list(training.curve)
    assert [epoch.epoch for epoch in heard] == [1, 2, 3]
    assert all(0 <= epoch.accuracy <= 1 and np.isfinite(epoch.loss) for epoch in heard)
    assert training.accuracy == heard[-1].accuracy
    seconds = [epoch.seconds for epoch in heard]
    assert seconds == sorted(seconds)


def test_same_seed_gives_the_same_result(trainer: Trainer) -> None:
    (architecture,) = some_architectures(tiny_space(head={"dropout": 0.3}), 1)
    first = trainer.train(architecture, 7, lambda _: None)
    torch.rand(3)  # what others draw does not matter
    second = trainer.train(architecture, 7, lambda _: None)
    assert [(e.loss, e.accuracy) for e in first.curve] == [
        (e.loss, e.accuracy) for e in second.curve
    ]
    assert first.weights.keys() == second.weights.keys()
    for name, value in first.weights.items():
        np.testing.assert_array_equal(value, second.weights[name])


def test_estimate_is_a_time(trainer: Trainer) -> None:
    assert trainer.estimate_seconds(some_architectures(tiny_space(), 1)[0]) >= 0
