"""The ONNX writer against PyTorch and against the arithmetic."""

from __future__ import annotations

import json

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from helpers import some_architectures, tiny_space

from mbnas.measure.onnx_file import INPUT, random_weights, to_onnx
from mbnas.measure.parity import ParityError, check_parity
from mbnas.model import build
from mbnas.network import Architecture, Head, Stage, Stem, costs, reference
from mbnas.space import SearchSpace, load_space, make_space
from mbnas.training.run import state_arrays


def every_option() -> SearchSpace:
    """A space in which every option of every field occurs, on odd maps too."""
    return make_space(
        "every-option",
        resolution=[9, 15, 16],
        stem={"width": [4, 8], "activation": ["silu", "relu", "relu6"]},
        head={
            "width": [0, 16],
            "hidden": [0, 16],
            "activation": ["relu", "relu6", "silu", "hardswish"],
            "dropout": [0.0, 0.2],
        },
        defaults={
            "block": ["mbconv", "fused_mbconv", "depthwise_separable", "identity"],
            "width": [8, 12],
            "depth": [1, 2],
            "se_ratio": [0, 0.25],
            "expansion": [1, 2],
            "activation": ["relu", "relu6", "silu", "hardswish"],
            "fusion": [
                "none",
                "concat",
                {"type": "concat", "project": False},
                "attention",
                "weighted_sum",
                {"type": "weighted_sum", "alpha": 0.5},
            ],
        },
        stages=[{}, {"stride": 2}, {"fusion_from": [1, 2, 3]}],
    )


def sampled() -> list[Architecture]:
    spaces = [every_option(), load_space("digits_tiny"), load_space("cifar_mobile")]
    return [a for space, n in zip(spaces, (60, 10, 5), strict=True) for a in _some(space, n)]


def _some(space: SearchSpace, count: int) -> list[Architecture]:
    return some_architectures(space, count, seed=3)


def settled_module(architecture: Architecture, classes: int) -> torch.nn.Module:
    """A module whose batch norms are nothing like the identity."""
    torch.manual_seed(0)
    network = build(architecture, classes)
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            torch.nn.init.uniform_(module.weight, 0.5, 1.5)
            torch.nn.init.normal_(module.bias, std=0.3)
        if isinstance(module, torch.nn.Linear):
            torch.nn.init.normal_(module.weight, std=0.3)
    size = architecture.resolution
    with torch.no_grad():
        network.train()(torch.randn(16, 3, size, size))
    return network.eval()


def test_onnx_runtime_agrees_with_torch_on_every_option() -> None:
    for architecture in sampled():
        network = settled_module(architecture, 5)
        weights = state_arrays(network)
        content = to_onnx(architecture.lower(5), weights)
        size = architecture.resolution
        images = torch.randn(3, 3, size, size)
        with torch.no_grad():
            expected = network(images).numpy()
        session = onnxruntime.InferenceSession(content)
        (computed,) = session.run(None, {INPUT: images.numpy()})
        assert np.abs(expected).max() > 0.1
        np.testing.assert_allclose(
            computed, expected, atol=1e-4 * np.abs(expected).max(), err_msg=architecture.describe()
        )
        assert check_parity(architecture, weights, content, images.numpy()) < 1e-4


def test_parity_notices_a_wrong_weight() -> None:
    architecture = some_architectures(tiny_space(), 1)[0]
    weights = state_arrays(settled_module(architecture, 5))
    content = to_onnx(architecture.lower(5), weights)
    wrong = {**weights, "stem.conv.weight": weights["stem.conv.weight"] * 1.01}
    size = architecture.resolution
    images = np.random.default_rng(0).standard_normal((2, 3, size, size), np.float32)
    with pytest.raises(ParityError, match="differ by"):
        check_parity(architecture, wrong, content, images)
    broken = {**weights, "head.classifier.bias": weights["head.classifier.bias"] * np.nan}
    with pytest.raises(ParityError):
        check_parity(architecture, broken, content, images)


def test_size_is_within_two_per_cent_of_the_file() -> None:
    networks = [*sampled(), reference("mobilenet_v2"), reference("mobilenet_v1")]
    for architecture in networks:
        graph = architecture.lower(10)
        written = len(to_onnx(graph))
        assert abs(costs(graph).size_bytes / written - 1) < 0.02, architecture.describe()


def test_files_are_valid_onnx_with_a_dynamic_batch() -> None:
    for architecture in _some(every_option(), 10):
        model = onnx.load_from_string(to_onnx(architecture.lower(7)))
        onnx.checker.check_model(model, full_check=True)
        batch = model.graph.input[0].type.tensor_type.shape.dim[0]
        assert batch.dim_param == "N"
        operators = {node.op_type for node in model.graph.node}
        assert "BatchNormalization" not in operators
        assert "Dropout" not in operators


def test_metadata_come_back() -> None:
    graph = some_architectures(tiny_space(), 1)[0].lower(3)
    labels = json.dumps(["cat", "dög", "bird"])
    session = onnxruntime.InferenceSession(to_onnx(graph, metadata={"labels": labels}))
    assert session.get_modelmeta().custom_metadata_map == {"labels": labels}


def test_random_weights_have_the_state_dicts_names_and_shapes() -> None:
    for architecture in _some(every_option(), 20):
        drawn = random_weights(architecture.lower(7))
        state = state_arrays(build(architecture, 7))
        assert {name: value.shape for name, value in drawn.items()} == {
            name: value.shape
            for name, value in state.items()
            if not (name.endswith("weight.value") and value.shape == (1,) and name not in drawn)
        }


def test_random_weights_neither_vanish_nor_overflow() -> None:
    architecture = Architecture(
        resolution=32,
        stem=Stem(width=16, stride=1, activation="relu"),
        stages=tuple(Stage(width=16, depth=10, se_ratio=0.25, activation="relu") for _ in range(3)),
        head=Head(width=64, activation="relu"),
    )
    session = onnxruntime.InferenceSession(to_onnx(architecture.lower(10)))
    images = np.random.default_rng(0).standard_normal((1, 3, 32, 32), np.float32)
    largest = float(np.abs(session.run(None, {INPUT: images})[0]).max())
    assert 1e-3 < largest < 1e6
