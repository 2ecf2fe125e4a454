"""Training on a CUDA device."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from helpers import some_architectures, stripes, tiny_space

from mbnas.measure.onnx_file import to_onnx
from mbnas.measure.parity import check_parity
from mbnas.measure.recipe import Recipe
from mbnas.measure.training import TorchTrainer

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device"),
]


def test_a_network_learns_on_the_gpu_and_its_file_agrees() -> None:
    trainer = TorchTrainer(
        stripes(640), stripes(160, seed=1), 2, Recipe(epochs=4), flip=True, crop=True
    )
    assert trainer.device.type == "cuda"
    (architecture,) = some_architectures(tiny_space(), 1)
    training = trainer.train(architecture, 0, lambda _: None)
    assert training.accuracy >= 0.95
    size = architecture.resolution
    images = np.random.default_rng(0).standard_normal((4, 3, size, size), np.float32)
    content = to_onnx(architecture.lower(2), training.weights)
    assert check_parity(architecture, training.weights, content, images) < 1e-4


def test_fresh_weights_are_the_same_on_every_device() -> None:
    (architecture,) = some_architectures(tiny_space(), 1)
    part = stripes(64)
    drawn = []
    for device in ("cpu", "cuda"):
        trainer = TorchTrainer(part, part, 2, Recipe(), flip=True, crop=True, device=device)
        with trainer._own_generator(3):
            drawn.append(trainer._prepare(architecture)[0].state_dict())
    for name, value in drawn[0].items():
        assert torch.equal(value, drawn[1][name].cpu()), name
