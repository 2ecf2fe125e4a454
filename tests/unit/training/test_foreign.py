"""Networks of torchvision are trained as architectures are."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
from helpers import stripes
from torchvision.ops import StochasticDepth

from mbnas.engine import LocalEngine, Train, Trained
from mbnas.measure.foreign import foreign_file, load_weights, torchvision_network
from mbnas.measure.onnx_file import INPUT
from mbnas.measure.session import open_session, run_session
from mbnas.model import ForeignNetwork
from mbnas.model.layers import DropPath
from mbnas.testing import FakeLatencyMeter
from mbnas.training.recipe import Recipe
from mbnas.training.torch_trainer import TorchTrainer
from mbnas.training.trainer import Assignment

NETWORK = torchvision_network("shufflenet_v2_x0_5", 32)
IMAGES, HELD_OUT = stripes(256, resolution=32), stripes(128, resolution=32, seed=1)


def trainer() -> TorchTrainer:
    recipe = Recipe(epochs=4, learning_rate=0.1)
    return TorchTrainer(IMAGES, HELD_OUT, 2, recipe, flip=True, crop=True, device="cpu")


def test_it_learns_and_its_file_computes_what_it_learned() -> None:
    training = trainer().train(Assignment(NETWORK, seed=0), lambda _: None)
    assert training.accuracy > 0.8
    module = NETWORK.make(2).eval()
    load_weights(module, training.weights)

    images = np.random.default_rng(0).standard_normal((3, 3, 32, 32), np.float32)
    with torch.inference_mode():
        expected = module(torch.from_numpy(images)).numpy()
    session = open_session(foreign_file(NETWORK, 2, training.weights))
    found = run_session(session, {INPUT: images})
    np.testing.assert_allclose(found, expected, atol=1e-4)


def test_it_is_laid_down_and_taken_up(tmp_path: Path) -> None:
    whole = trainer().train(Assignment(NETWORK, seed=0), lambda _: None)
    checkpoint = tmp_path / "checkpoint.pt"
    by = trainer()
    by.train(Assignment(NETWORK, seed=0, until=2, checkpoint=checkpoint), lambda _: None)
    again = by.train(Assignment(NETWORK, seed=0, checkpoint=checkpoint), lambda _: None)
    assert [epoch.loss for epoch in again.curve] == [epoch.loss for epoch in whole.curve]


class Drops(torch.nn.Module):
    """Has torchvision's layers that drop paths, as its EfficientNets and ConvNeXts have."""

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.linear = torch.nn.Linear(3, classes)
        self.by_image = StochasticDepth(0.5, "row")
        self.by_batch = StochasticDepth(0.2, "batch")

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        values: torch.Tensor = self.linear(self.by_batch(self.by_image(images)).mean((2, 3)))
        return values


def test_what_drops_paths_draws_from_the_seed_and_is_taken_up_too(tmp_path: Path) -> None:
    network = ForeignNetwork("drops", 32, macs=6, make=Drops)
    torch.manual_seed(0)
    whole = trainer().train(Assignment(network, seed=0), lambda _: None)
    torch.manual_seed(1)  # the caller's own
    expected = torch.random.get_rng_state()
    checkpoint = tmp_path / "checkpoint.pt"
    by = trainer()
    by.train(Assignment(network, seed=0, until=2, checkpoint=checkpoint), lambda _: None)
    again = by.train(Assignment(network, seed=0, checkpoint=checkpoint), lambda _: None)
    assert [epoch.loss for epoch in again.curve] == [epoch.loss for epoch in whole.curve]
    assert torch.random.get_rng_state().equal(expected)
    other = trainer().train(Assignment(network, seed=1), lambda _: None)
    assert other.curve[-1].loss != whole.curve[-1].loss


@pytest.mark.parametrize("each", [True, False], ids=["row", "batch"])
def test_dropped_paths_are_0_and_the_others_keep_the_mean(each: bool) -> None:
    layer = DropPath(0.25, each=each)
    layer.generator = torch.Generator().manual_seed(0)
    maps = torch.ones(8, 2, 3, 3)
    draws = torch.stack([layer(maps) for _ in range(500)])
    whole = draws.flatten(2)
    assert (whole == whole[..., :1]).all(), "a path is dropped as a whole"
    assert (whole[:, :, 0] == whole[:, :1, 0]).all() == (not each)
    assert sorted(whole.unique().tolist()) == [0.0, pytest.approx(4 / 3)]
    assert float(whole.mean()) == pytest.approx(1, abs=0.1)
    assert layer.eval()(maps).equal(maps)


class Numbered(torch.nn.Module):
    """Has a buffer of whole numbers, as torchvision's transformers have."""

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.linear = torch.nn.Linear(3, classes)
        self.register_buffer("order", torch.tensor([2, 0, 1]))

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        values: torch.Tensor = self.linear(images.mean((2, 3))[:, self.get_buffer("order")])
        return values


def test_whole_numbers_are_not_averaged() -> None:
    network = ForeignNetwork("numbered", 32, macs=6, make=Numbered)
    averaging = trainer().with_recipe(Recipe(epochs=2, ema=0.9))
    training = averaging.train(Assignment(network, seed=0), lambda _: None)
    assert len(training.curve) == 2
    assert set(training.weights) == {"linear.weight", "linear.bias"}


def test_an_engine_takes_it_and_writes_no_file_of_its_own() -> None:
    engine = LocalEngine(trainer(), FakeLatencyMeter(), classes=2)
    engine.submit(Train(0, Assignment(NETWORK, seed=0)))
    outcome = engine.wait(lambda *_: None)
    assert isinstance(outcome, Trained)
    assert outcome.model is None
    assert outcome.training.weights


def test_it_goes_to_another_process() -> None:
    again = pickle.loads(pickle.dumps(NETWORK))
    assert again == NETWORK
    assert again.id == "shufflenet_v2_x0_5-32"
    assert len(again.make(7).state_dict()) == len(NETWORK.make(7).state_dict())


def test_its_dropout_is_laid_down_with_the_training(tmp_path: Path) -> None:
    dropping = torchvision_network("mobilenet_v3_small", 32)
    by = TorchTrainer(
        stripes(64), stripes(32), 2, Recipe(epochs=2), flip=True, crop=True, device="cpu"
    )
    whole = by.train(Assignment(dropping, 0), lambda _: None)
    checkpoint = tmp_path / "checkpoint.pt"
    by.train(Assignment(dropping, 0, until=1, checkpoint=checkpoint), lambda _: None)
    torch.rand(7)  # others draw meanwhile
    taken_up = by.train(Assignment(dropping, 0, checkpoint=checkpoint), lambda _: None)
    assert [one.loss for one in taken_up.curve] == [one.loss for one in whole.curve]
