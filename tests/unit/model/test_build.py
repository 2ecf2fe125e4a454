"""The module as a user of PyTorch meets it."""

from __future__ import annotations

import copy
import io
import weakref
from dataclasses import replace

import pytest
import torch
from torch import nn

from mbnas.model import build
from mbnas.network import Architecture, Fusion, Head, Stage, Stem

ARCHITECTURE = Architecture(
    resolution=12,
    stem=Stem(width=8, stride=1),
    stages=(
        Stage(width=8, depth=2, expansion=2, se_ratio=0.25, fusion=Fusion(type="concat")),
        Stage(block="identity", width=16, stride=2, fusion=Fusion(type="weighted_sum")),
        Stage(
            block="fused_mbconv",
            width=16,
            expansion=2,
            fusion=Fusion(type="attention"),
            fusion_from=2,
        ),
        Stage(block="depthwise_separable", width=8, fusion=Fusion(type="weighted_sum", alpha=0.25)),
    ),
    head=Head(width=12, hidden=6, dropout=0.5),
)


def test_the_state_dict_has_readable_names() -> None:
    names = set(build(ARCHITECTURE, 3).state_dict())
    assert names >= {
        "stem.conv.weight",
        "stem.norm.running_mean",
        "stage1.block1.expand.conv.weight",
        "stage1.block1.depthwise.norm.bias",
        "stage1.block2.se.reduce.bias",
        "stage1.block2.se.restore.weight",
        "stage1.block2.project.norm.weight",
        "stage1.fusion.project.conv.weight",
        "stage2.block1.shortcut.conv.weight",
        "stage2.fusion.match.conv.weight",
        "stage2.fusion.logit.value",
        "stage3.block1.fused.conv.weight",
        "stage3.fusion.logits.bias",
        "stage4.block1.pointwise.conv.weight",
        "stage4.fusion.weight.value",
        "head.features.conv.weight",
        "head.hidden.bias",
        "head.classifier.weight",
    }
    prefixes = ("stem.", "stage1.", "stage2.", "stage3.", "stage4.", "head.")
    assert all(name.startswith(prefixes) for name in names)


@pytest.mark.parametrize("batch", [1, 2, 5])
@pytest.mark.parametrize("channels", [1, 3])
def test_batches_classes_and_channels(batch: int, channels: int) -> None:
    network = build(ARCHITECTURE, classes=4, channels=channels).eval()
    with torch.no_grad():
        together = network(torch.ones(batch, channels, 12, 12))
    assert together.shape == (batch, 4)


@pytest.mark.parametrize("size", [5, 12, 13, 31])
def test_works_at_any_resolution(size: int) -> None:
    network = build(ARCHITECTURE, classes=4).eval()
    assert network(torch.randn(2, 3, size, size)).shape == (2, 4)


def test_each_image_is_classified_by_itself() -> None:
    network = build(ARCHITECTURE, classes=4).eval()
    images = torch.randn(6, 3, 12, 12)
    with torch.no_grad():
        alone = torch.cat([network(image[None]) for image in images])
        torch.testing.assert_close(network(images), alone)


def test_images_are_left_as_they_were() -> None:
    images = torch.randn(2, 3, 12, 12)
    before = images.clone()
    build(ARCHITECTURE, classes=4)(images)
    assert torch.equal(images, before)


def test_seeds_decide_the_weights() -> None:
    def weights(seed: int) -> torch.Tensor:
        torch.manual_seed(seed)
        return nn.utils.parameters_to_vector(build(ARCHITECTURE, 4).parameters())

    assert torch.equal(weights(1), weights(1))
    assert not torch.equal(weights(1), weights(2))


def test_fresh_weights() -> None:
    network = build(ARCHITECTURE, 4)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.fill_(3.0)
    network(torch.randn(4, 3, 12, 12))  # moves the batch norms' statistics
    network.reset_parameters()
    state = network.state_dict()
    assert state["stage2.fusion.logit.value"].item() == 0
    assert state["stage4.fusion.weight.value"].item() == 0.25
    assert state["head.classifier.bias"].abs().max() == 0
    assert 0 < state["head.classifier.weight"].std() < 0.03
    for name, value in state.items():
        if name.endswith("norm.weight") or name.endswith("running_var"):
            assert torch.equal(value, torch.ones_like(value)), name
        elif name.endswith(("norm.bias", "running_mean")):
            assert torch.equal(value, torch.zeros_like(value)), name
        elif name.endswith("conv.weight"):
            assert not torch.any(value == 3.0), name


def test_copied_saved_and_loaded() -> None:
    network = build(ARCHITECTURE, 4).eval()
    images = torch.randn(2, 3, 12, 12)
    with torch.no_grad():
        nn.init.ones_(network.get_parameter("head.classifier.bias"))
        expected = network(images)
        copied = copy.deepcopy(network)
        for parameter in copied.parameters():
            parameter.fill_(0.5)
        assert torch.equal(network(images), expected)  # the copy shares nothing
        assert not torch.equal(copied(images), expected)

        file = io.BytesIO()
        torch.save(network, file)
        file.seek(0)
        loaded = torch.load(file, weights_only=False)
        assert torch.equal(loaded(images), expected)


def test_dropout_drops_in_training_alone() -> None:
    architecture = replace(ARCHITECTURE, head=Head(dropout=0.5))
    network = build(architecture, 4)
    images = torch.randn(4, 3, 12, 12)
    network.eval()
    assert torch.equal(network(images), network(images))
    network.get_submodule("head.dropout").train()
    assert not torch.equal(network(images), network(images))


def test_maps_that_nobody_needs_are_freed() -> None:
    """At most a few maps of a chain live at once, however deep it is."""
    architecture = Architecture(
        resolution=8,
        stem=Stem(width=8, stride=1),
        stages=(Stage(block="depthwise_separable", width=8, depth=20),),
    )
    network = build(architecture, 4).eval()
    alive: list[int] = []
    references: list[weakref.ref[torch.Tensor]] = []

    def watch(_layer: nn.Module, _inputs: object, output: torch.Tensor) -> None:
        references.append(weakref.ref(output))
        alive.append(sum(reference() is not None for reference in references))

    for layer in network.modules():
        if isinstance(layer, nn.Conv2d):
            layer.register_forward_hook(watch)
    with torch.no_grad():
        network(torch.randn(1, 3, 8, 8))
    assert len(alive) == 41
    assert max(alive) <= 3
