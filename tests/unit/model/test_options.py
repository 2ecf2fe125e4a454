"""Whatever is combined: arithmetic and module agree, and every parameter learns."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import product
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from unit.model.counting import multiply_accumulates, parameter_count, undrawn_weights
from unit.model.options import (
    ACTIVATIONS,
    BLOCKS,
    FUSIONS,
    FUSIONS_FROM,
    OPTIONS,
    RESOLUTIONS,
    SE_RATIOS,
    network_of,
)
from unit.model.pairwise import all_pairs, pairs_of, pairwise

from mbnas.measure.onnx_file import to_onnx
from mbnas.measure.parity import check_parity
from mbnas.model import Network, build
from mbnas.network import Architecture, Fusion, costs
from mbnas.training.run import state_arrays

CLASSES = 7
BATCH = 16


def shapes_by_running(network: Network, images: Tensor) -> dict[str, tuple[int, ...]]:
    """The shape of every layer's output for one image, by the layer's name."""
    shapes: dict[str, tuple[int, ...]] = {}
    hooks = [
        network.get_submodule(node.name).register_forward_hook(
            lambda _layer, _inputs, output, name=node.name: shapes.update(
                {name: tuple(output.shape[1:])}
            )
        )
        for node in network.graph.nodes[1:]
    ]
    network(images)
    for hook in hooks:
        hook.remove()
    return shapes


@pytest.mark.parametrize("fusion", FUSIONS, ids=str)
@pytest.mark.parametrize("block", BLOCKS)
def test_the_full_cross_by_arithmetic_and_forward_shape(block: str, fusion: Fusion) -> None:
    seen = set()
    rest = product(SE_RATIOS, ACTIVATIONS, FUSIONS_FROM, RESOLUTIONS)
    for se_ratio, activation, fusion_from, resolution in rest:
        architecture = network_of(
            block=block,
            fusion=fusion,
            se_ratio=se_ratio,
            activation=activation,
            fusion_from=fusion_from,
            resolution=resolution,
            width=24,
            depth=1,
            stride=2,
            expansion=4,
        )
        graph = architecture.lower(CLASSES)
        with undrawn_weights():
            network = build(architecture, CLASSES).eval()
        with torch.no_grad():
            by_running = shapes_by_running(network, torch.zeros(2, 3, resolution, resolution))
        by_arithmetic = {node.name: node.shape for node in graph.nodes[1:]}
        # A learned weight is one number for all images, so it has no batch to leave out.
        by_running |= {name: (1,) for name, shape in by_running.items() if shape == ()}
        assert by_running == by_arithmetic
        assert by_running["head.classifier"] == (CLASSES,)
        assert costs(graph).params == parameter_count(network)
        assert architecture == Architecture.from_json(architecture.to_json())
        seen.add(architecture.id)
    # SE and activation are nothing to an identity, and where a map comes from to no fusion; the
    # projection of a concat is activated in the stage's way.
    distinct = len(RESOLUTIONS)
    distinct *= 1 if fusion.type == "none" else len(FUSIONS_FROM)
    if block != "identity":
        distinct *= len(SE_RATIOS) * len(ACTIVATIONS)
    elif fusion == Fusion(type="concat"):
        distinct *= len(ACTIVATIONS)
    assert len(seen) == distinct


CASES = pairwise(OPTIONS)


def test_all_pairs_meet_in_the_cases() -> None:
    positions = [
        {name: values.index(case[name]) for name, values in OPTIONS.items()} for case in CASES
    ]
    met = {pair for case in positions for pair in pairs_of(case)}
    assert met == all_pairs(OPTIONS)
    assert len(all_pairs(OPTIONS)) > 1000
    assert len(CASES) <= 45


def trained(architecture: Architecture, steps: int = 5) -> tuple[Network, dict[str, float]]:
    """The network after some steps on noise, and each parameter's largest gradient on the way."""
    network = build(architecture, CLASSES)
    size = architecture.resolution
    images = torch.randn(BATCH, 3, size, size)
    labels = torch.randint(CLASSES, (BATCH,))
    optimiser = torch.optim.SGD(network.parameters(), lr=0.05, momentum=0.9)
    largest = dict.fromkeys(dict(network.named_parameters()), 0.0)
    network.train()
    for _ in range(steps):
        optimiser.zero_grad()
        loss = nn.functional.cross_entropy(network(images), labels)
        loss.backward()
        for name, parameter in network.named_parameters():
            assert parameter.grad is not None, name
            assert parameter.grad.isfinite().all(), name
            largest[name] = max(largest[name], parameter.grad.abs().max().item())
        optimiser.step()
    return network, largest


def check_costs(architecture: Architecture, network: Network) -> None:
    """What arithmetic says of a network is what its module has and does."""
    network.eval()
    said = costs(architecture.lower(CLASSES))
    assert said.params == parameter_count(network)
    size = architecture.resolution
    images = torch.randn(2, 3, size, size)
    assert said.macs == multiply_accumulates(network, images)
    with torch.no_grad():
        assert network(images).shape == (2, CLASSES)


def check_onnx(architecture: Architecture, network: Network) -> None:
    """ONNX Runtime computes from the written file what the trained module computes."""
    weights = state_arrays(network)
    size = architecture.resolution
    images = np.random.default_rng(0).standard_normal((3, 3, size, size), np.float32)
    content = to_onnx(architecture.lower(CLASSES), weights)
    assert check_parity(architecture, weights, content, images) < 1e-4


def case_name(case: Mapping[str, Any]) -> str:
    return f"{case['block']}-{case['fusion']}-{case['activation']}-{case['resolution']}"


@pytest.mark.parametrize("case", CASES, ids=case_name)
def test_all_pairs_of_options_after_training(case: dict[str, Any]) -> None:
    architecture = network_of(**case)
    network, largest_gradients = trained(architecture)
    assert all(largest_gradients.values()), [
        name for name, gradient in largest_gradients.items() if not gradient
    ]
    check_costs(architecture, network)
    check_onnx(architecture, network)


def test_a_learned_weight_learns_and_a_fixed_one_does_not() -> None:
    stage = {"block": "mbconv", "width": 16, "resolution": 16}
    learned, gradients = trained(network_of(fusion=Fusion(type="weighted_sum"), **stage))
    assert gradients["stage2.fusion.logit.value"] > 0
    assert learned.state_dict()["stage2.fusion.logit.value"].item() != 0
    fixed, gradients = trained(network_of(fusion=Fusion(type="weighted_sum", alpha=0.4), **stage))
    assert not [name for name in gradients if "fusion" in name]
    assert fixed.state_dict()["stage2.fusion.weight.value"].item() == pytest.approx(0.4)
