"""Costs node by node, and the graph they are read from."""

from __future__ import annotations

from dataclasses import replace

import pytest

from mbnas.network import (
    REFERENCES,
    Architecture,
    Fusion,
    Head,
    LayerCosts,
    Stage,
    Stem,
    costs,
    layer_costs,
    reference,
)

TINY = Architecture(
    resolution=9,
    stem=Stem(width=8, stride=2, activation="relu"),
    stages=(Stage(width=8, expansion=2, se_ratio=0.25, fusion=Fusion(type="attention")),),
    head=Head(width=0, hidden=6, activation="relu"),
)


def test_a_network_by_hand() -> None:
    """Every figure worked out on paper: maps are 5×5 after the stem."""
    expected = {
        "stem.conv": ((8, 5, 5), 8 * 3 * 9, 8 * 3 * 9 * 25),
        "stem.norm": ((8, 5, 5), 16, 0),
        "stage1.block1.expand.conv": ((16, 5, 5), 8 * 16, 8 * 16 * 25),
        "stage1.block1.expand.norm": ((16, 5, 5), 32, 0),
        "stage1.block1.depthwise.conv": ((16, 5, 5), 16 * 9, 16 * 9 * 25),
        "stage1.block1.depthwise.norm": ((16, 5, 5), 32, 0),
        "stage1.block1.se.pool": ((16, 1, 1), 0, 0),
        "stage1.block1.se.reduce": ((2, 1, 1), 16 * 2 + 2, 16 * 2),
        "stage1.block1.se.restore": ((16, 1, 1), 2 * 16 + 16, 2 * 16),
        "stage1.block1.project.conv": ((8, 5, 5), 16 * 8, 16 * 8 * 25),
        "stage1.block1.project.norm": ((8, 5, 5), 16, 0),
        "stage1.block1.add": ((8, 5, 5), 0, 0),
        "stage1.fusion.logits": ((2,), 16 * 2 + 2, 16 * 2),
        "stage1.fusion.mix": ((8, 5, 5), 0, 0),
        "head.pool": ((8, 1, 1), 0, 0),
        "head.hidden": ((6,), 8 * 6 + 6, 8 * 6),
        "head.classifier": ((10,), 6 * 10 + 10, 6 * 10),
    }
    graph = TINY.lower(10)
    layers = {layer.name: layer for layer in layer_costs(graph)}
    found = {
        name: (layers[name].shape, layers[name].params, layers[name].macs) for name in expected
    }
    assert found == expected
    assert costs(graph).params == sum(params for _, params, _ in expected.values())
    assert costs(graph).macs == sum(macs for _, _, macs in expected.values())


@pytest.mark.parametrize("name", REFERENCES)
def test_layers_add_up(name: str) -> None:
    graph = reference(name).lower(10)
    layers = layer_costs(graph)
    assert len(layers) == len(graph.nodes)
    assert sum(layer.params for layer in layers) == costs(graph).params
    assert sum(layer.macs for layer in layers) == costs(graph).macs
    assert layers[-1] == LayerCosts(
        name="head.classifier",
        kind="Linear",
        shape=(10,),
        params=graph.nodes[-1].op.params,
        macs=graph.nodes[-1].op.macs((10,)),
    )


def test_costs_take_classes_and_channels() -> None:
    ten, hundred = costs(TINY.lower(10)), costs(TINY.lower(100))
    assert hundred.params - ten.params == 90 * (6 + 1)
    assert hundred.macs - ten.macs == 90 * 6
    grey = costs(TINY.lower(10, channels=1))
    assert ten.params - grey.params == 2 * 8 * 9
    assert TINY.lower(10, channels=1).input_shape == (1, 9, 9)
    assert TINY.lower(10).classes == 10


def test_resolution_changes_macs_and_nothing_else() -> None:
    small, large = (costs(replace(TINY, resolution=size).lower(10)) for size in (9, 18))
    assert large.params == small.params
    assert large.macs > 2 * small.macs
    assert (small.resolution, large.resolution) == (9, 18)


def test_fused_blocks_cost_more() -> None:
    """EfficientNetV2's trade: more parameters and MACs than the depthwise block."""
    plain, fused = (
        costs(replace(TINY, stages=(Stage(block=block, width=16),)).lower(10))
        for block in ("mbconv", "fused_mbconv")
    )
    assert fused.params > plain.params
    assert fused.macs > plain.macs


def test_a_depth_of_a_thousand_lowers() -> None:
    deep = replace(TINY, stages=(Stage(width=8, depth=1000, expansion=1),))
    names = [node.name for node in deep.lower().nodes if node.name.endswith("depthwise.conv")]
    assert len(names) == len(set(names)) == 1000


def test_names_are_unique_and_every_map_is_used() -> None:
    for name in REFERENCES:
        nodes = reference(name).lower().nodes
        assert len({node.name for node in nodes}) == len(nodes)
        used = {source for node in nodes for source in node.inputs}
        assert used == set(range(len(nodes) - 1))  # all but the logits
        assert all(source < at for at, node in enumerate(nodes) for source in node.inputs)
