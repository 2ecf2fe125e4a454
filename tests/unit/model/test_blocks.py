"""Each block and each fusion against a module written by hand."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import nn
from unit.model import handwritten as hand
from unit.model.comparison import TOLERANCE, difference, settle

from mbnas.network import Architecture, Fusion, Graph, Head, Stage, Stem

CLASSES = 5
ACTIVATIONS = ["relu", "relu6", "hardswish", "silu"]


def agree(module: nn.Module, graph: Graph) -> bool:
    _, size, _ = graph.input_shape
    images = 2 * torch.randn(6, 3, size, size)
    settle(module, images)
    for layer in module.modules():
        if isinstance(layer, nn.Linear):
            nn.init.normal_(layer.weight)
            nn.init.normal_(layer.bias)
    return difference(module, graph, images) <= TOLERANCE


# ---------------------------------------------------------------------------------------------
# Blocks: a stem of 24 channels, one stage, a bare head


def one_stage(stage: Stage, resolution: int = 16) -> Graph:
    return Architecture(
        resolution=resolution,
        stem=Stem(width=24, stride=2, activation="relu"),
        stages=(stage,),
    ).lower(CLASSES)


def around(*blocks: nn.Module, width: int) -> nn.Module:
    stem = hand.conv(3, 24, kernel=3, stride=2, activation="relu")
    return nn.Sequential(stem, *blocks, hand.Pool(), nn.Linear(width, CLASSES))


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("resolution", [15, 16])
def test_mbconv(activation: str, resolution: int) -> None:
    stage = Stage(
        width=32, depth=2, stride=2, kernel=5, expansion=4, se_ratio=0.25, activation=activation
    )
    # Squeezed to a quarter of what enters the block: 24 / 4, then 32 / 4.
    module = around(
        hand.mbconv(24, 96, 32, kernel=5, stride=2, squeezed=6, activation=activation),
        hand.mbconv(32, 128, 32, kernel=5, squeezed=8, activation=activation),
        width=32,
    )
    assert agree(module, one_stage(stage, resolution))


@pytest.mark.parametrize("squeezed", [0, 12])
def test_mbconv_without_expansion(squeezed: int) -> None:
    stage = Stage(width=24, expansion=1, se_ratio=squeezed / 24, activation="silu")
    module = around(
        hand.mbconv(24, None, 24, squeezed=squeezed, activation="silu"),
        width=24,
    )
    assert isinstance(module[1], hand.Residual)
    assert agree(module, one_stage(stage))


def test_mbconv_of_another_width_has_no_residual() -> None:
    stage = Stage(width=32, expansion=2, activation="hardswish")
    module = around(hand.mbconv(24, 48, 32, activation="hardswish"), width=32)
    assert not isinstance(module[1], hand.Residual)
    assert agree(module, one_stage(stage))


def test_mbconv_of_another_stride_has_no_residual() -> None:
    stage = Stage(width=24, stride=2, expansion=2, activation="hardswish")
    module = around(hand.mbconv(24, 48, 24, stride=2, activation="hardswish"), width=24)
    assert agree(module, one_stage(stage, 13))


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("resolution", [15, 16])
def test_fused_mbconv(activation: str, resolution: int) -> None:
    stage = Stage(
        block="fused_mbconv",
        width=32,
        depth=2,
        stride=2,
        kernel=5,
        expansion=3,
        se_ratio=0.25,
        activation=activation,
    )
    module = around(
        hand.fused_mbconv(24, 72, 32, kernel=5, stride=2, squeezed=6, activation=activation),
        hand.fused_mbconv(32, 96, 32, kernel=5, squeezed=8, activation=activation),
        width=32,
    )
    assert agree(module, one_stage(stage, resolution))


@pytest.mark.parametrize("squeezed", [0, 6])
@pytest.mark.parametrize("width", [24, 32])
def test_fused_mbconv_without_expansion(squeezed: int, width: int) -> None:
    stage = Stage(
        block="fused_mbconv",
        width=width,
        expansion=1,
        se_ratio=squeezed / 24,
        activation="silu",
    )
    module = around(
        hand.fused_mbconv(24, None, width, squeezed=squeezed, activation="silu"), width=width
    )
    assert isinstance(module[1], hand.Residual) == (width == 24)
    assert agree(module, one_stage(stage))


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("squeezed", [0, 6])
def test_depthwise_separable(activation: str, squeezed: int) -> None:
    stage = Stage(
        block="depthwise_separable",
        width=24,
        depth=2,
        kernel=5,
        stride=2,
        se_ratio=squeezed / 24,
        activation=activation,
    )
    module = around(  # no residual, though the second keeps stride and width
        hand.depthwise_separable(
            24, 24, kernel=5, stride=2, squeezed=squeezed, activation=activation
        ),
        hand.depthwise_separable(24, 24, kernel=5, squeezed=squeezed, activation=activation),
        width=24,
    )
    assert agree(module, one_stage(stage, 17))


@pytest.mark.parametrize(
    ("stage", "shortcut"),
    [
        (Stage(block="identity", width=24, depth=3), nn.Identity()),
        (Stage(block="identity", width=32, depth=3), hand.conv(24, 32)),
        (Stage(block="identity", width=24, stride=2), hand.conv(24, 24, stride=2)),
        (Stage(block="identity", width=32, stride=3), hand.conv(24, 32, stride=3)),
    ],
    ids=["nothing", "wider", "strided", "both"],
)
def test_identity(stage: Stage, shortcut: nn.Module) -> None:
    assert agree(around(shortcut, width=stage.width), one_stage(stage, 15))


@pytest.mark.parametrize(
    ("se_ratio", "block_input", "squeezed"),
    [(0.25, 24, 6), (0.25, 30, 7), (0.01, 24, 1), (1.0, 24, 24), (0.29, 100, 29)],
)
def test_squeezed_width_follows_the_width_that_enters_the_block(
    se_ratio: float, block_input: int, squeezed: int
) -> None:
    architecture = Architecture(
        resolution=8,
        stem=Stem(width=block_input, activation="relu"),
        stages=(Stage(width=16, expansion=6, se_ratio=se_ratio),),
    )
    module = nn.Sequential(
        hand.conv(3, block_input, kernel=3, stride=2, activation="relu"),
        hand.mbconv(block_input, 6 * block_input, 16, squeezed=squeezed, activation="relu6"),
        hand.Pool(),
        nn.Linear(16, CLASSES),
    )
    assert agree(module, architecture.lower(CLASSES))


def test_head_with_all_its_parts() -> None:
    architecture = Architecture(
        resolution=16,
        stem=Stem(width=24, stride=2, activation="relu"),
        stages=(Stage(block="identity", width=24),),
        head=Head(width=40, hidden=20, activation="hardswish", dropout=0.5),
    )
    module = nn.Sequential(
        hand.conv(3, 24, kernel=3, stride=2, activation="relu"),
        hand.conv(24, 40, activation="hardswish"),
        hand.Pool(),
        nn.Linear(40, 20),
        nn.Hardswish(),
        nn.Dropout(0.5),
        nn.Linear(20, CLASSES),
    )
    assert agree(module, architecture.lower(CLASSES))


# ---------------------------------------------------------------------------------------------
# Fusions: the maps are, of a 25×25 image, 13×13 (stem), 13×13, 7×7 and 4×4 (three stages);
# of a 24×24 image 12×12, 12×12, 6×6 and 3×3


def three_stages(fusion: Fusion, fusion_from: int, resolution: int) -> Graph:
    shape = {"expansion": 2, "activation": "silu"}
    return Architecture(
        resolution=resolution,
        stem=Stem(width=12, stride=2, activation="silu"),
        stages=(
            Stage(width=16, **shape),
            Stage(width=24, stride=2, **shape),
            Stage(width=24, stride=2, fusion=fusion, fusion_from=fusion_from, **shape),
        ),
    ).lower(CLASSES)


def fused(fusion: hand.Fusion, fusion_from: int, width: int = 24) -> nn.Module:
    return hand.Handwritten(
        hand.conv(3, 12, kernel=3, stride=2, activation="silu"),
        [
            (hand.mbconv(12, 24, 16, activation="silu"), None, 1),
            (hand.mbconv(16, 32, 24, stride=2, activation="silu"), None, 1),
            (hand.mbconv(24, 48, 24, stride=2, activation="silu"), fusion, fusion_from),
        ],
        nn.Sequential(hand.Pool(), nn.Linear(width, CLASSES)),
    )


# How far back, the width of that map, and the stride between it and the last map.
BACK = [(1, 24, 2), (2, 16, 4), (3, 12, 4)]


@pytest.mark.parametrize(("back", "width", "factor"), BACK)
@pytest.mark.parametrize("resolution", [24, 25, 27])
def test_concat(back: int, width: int, factor: int, resolution: int) -> None:
    module = fused(hand.Concat(factor, hand.conv(width + 24, 24, activation="silu")), back)
    assert agree(module, three_stages(Fusion(type="concat"), back, resolution))


@pytest.mark.parametrize(("back", "width", "factor"), BACK)
@pytest.mark.parametrize("resolution", [24, 25])
def test_concat_that_keeps_the_added_channels(
    back: int, width: int, factor: int, resolution: int
) -> None:
    module = fused(hand.Concat(factor, None), back, width=width + 24)
    fusion = Fusion(type="concat", project=False)
    assert agree(module, three_stages(fusion, back, resolution))


@pytest.mark.parametrize(("back", "width", "factor"), BACK)
@pytest.mark.parametrize("alpha", [None, 0.0, 0.3, 1.0])
@pytest.mark.parametrize("resolution", [24, 25])
def test_weighted_sum(
    back: int, width: int, factor: int, alpha: float | None, resolution: int
) -> None:
    match = None if width == 24 else hand.conv(width, 24)
    module = fused(hand.WeightedSum(factor, match, alpha=alpha), back)
    fusion = Fusion(type="weighted_sum", alpha=alpha)
    assert agree(module, three_stages(fusion, back, resolution))


@pytest.mark.parametrize(("back", "width", "factor"), BACK)
@pytest.mark.parametrize("resolution", [24, 25, 27])
def test_attention(back: int, width: int, factor: int, resolution: int) -> None:
    match = None if width == 24 else hand.conv(width, 24)
    module = fused(hand.Attention(factor, 24, match), back)
    assert agree(module, three_stages(Fusion(type="attention"), back, resolution))


def test_a_fusion_from_elsewhere_is_noticed() -> None:
    """The comparison itself: the same tensors, the earlier map taken from another place."""
    stages = (
        Stage(block="identity", width=24, stride=2),
        Stage(width=24, expansion=2, activation="silu"),
        Stage(width=24, expansion=2, activation="silu", fusion=Fusion(type="weighted_sum")),
    )
    right = Architecture(resolution=16, stem=Stem(width=24), stages=stages)
    wrong = replace(right, stages=(*stages[:2], replace(stages[2], fusion_from=2)))
    module = hand.Handwritten(
        hand.conv(3, 24, kernel=3, stride=2, activation="relu6"),
        [
            (hand.conv(24, 24, stride=2), None, 1),
            (hand.mbconv(24, 48, 24, activation="silu"), None, 1),
            (hand.mbconv(24, 48, 24, activation="silu"), hand.WeightedSum(1), 1),
        ],
        nn.Sequential(hand.Pool(), nn.Linear(24, CLASSES)),
    )
    assert agree(module, right.lower(CLASSES))
    assert not agree(module, wrong.lower(CLASSES))
