"""Reference networks against torchvision's, tensor for tensor."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torchvision import models
from unit.model.comparison import (
    TOLERANCE,
    StateMismatchError,
    difference,
    residuals,
    settle,
    without,
)
from unit.model.counting import parameter_count

from mbnas.model import build
from mbnas.network import Architecture, costs, reference

CLASSES = 1000
RESOLUTION = 64
PUBLISHED: dict[str, Callable[..., nn.Module]] = {
    "mobilenet_v2": models.mobilenet_v2,
    "efficientnet_b0": models.efficientnet_b0,
    "efficientnet_v2_s": models.efficientnet_v2_s,
}


@dataclass(frozen=True)
class Published:
    """torchvision's module, its batch norms settled, and our architecture of it."""

    name: str
    module: nn.Module
    architecture: Architecture

    def difference(self, architecture: Architecture, images: Tensor) -> float:
        return difference(self.module, architecture.lower(CLASSES), images)


@pytest.fixture(scope="module", params=PUBLISHED)
def published(request: pytest.FixtureRequest) -> Published:
    torch.manual_seed(0)
    module = PUBLISHED[request.param]()
    settle(module, torch.randn(8, 3, RESOLUTION, RESOLUTION))
    return Published(request.param, module, reference(request.param, RESOLUTION))


@pytest.fixture
def images() -> Tensor:
    return torch.randn(2, 3, RESOLUTION, RESOLUTION)


def test_parameter_counts(published: Published) -> None:
    expected = parameter_count(published.module)
    with torch.device("meta"):
        assert parameter_count(build(published.architecture, CLASSES)) == expected
    assert costs(published.architecture.lower(CLASSES)).params == expected


@pytest.mark.parametrize("resolution", [RESOLUTION, 75])
def test_outputs(published: Published, resolution: int) -> None:
    images = torch.randn(2, 3, resolution, resolution)
    architecture = replace(published.architecture, resolution=resolution)
    assert published.difference(architecture, images) <= TOLERANCE


def with_stage(architecture: Architecture, at: int, **changes: Any) -> Architecture:
    stages = list(architecture.stages)
    stages[at] = replace(stages[at], **changes)
    return replace(architecture, stages=tuple(stages))


@pytest.mark.parametrize("at", [0, 3, -1])
def test_a_wrong_activation_is_noticed(published: Published, images: Tensor, at: int) -> None:
    right = published.architecture.stages[at].activation
    wrong = {"relu6": "relu", "silu": "hardswish"}[right]
    mutated = with_stage(published.architecture, at, activation=wrong)
    assert published.difference(mutated, images) > 10 * TOLERANCE


@pytest.mark.parametrize("part", ["stem", "head"])
def test_a_wrong_activation_at_the_ends_is_noticed(
    published: Published, images: Tensor, part: str
) -> None:
    changed = replace(getattr(published.architecture, part), activation="hardswish")
    mutated = replace(published.architecture, **{part: changed})
    assert published.difference(mutated, images) > 10 * TOLERANCE


def test_a_wrong_epsilon_is_noticed(published: Published, images: Tensor) -> None:
    wrong = {1e-5: 1e-3, 1e-3: 1e-5}[published.architecture.bn_eps]
    mutated = replace(published.architecture, bn_eps=wrong)
    assert published.difference(mutated, images) > 10 * TOLERANCE


@pytest.mark.parametrize("which", [0, -1])
def test_a_missing_residual_is_noticed(published: Published, images: Tensor, which: int) -> None:
    graph = published.architecture.lower(CLASSES)
    mutated = without(graph, residuals(graph)[which])
    assert len(residuals(mutated)) == len(residuals(graph)) - 1
    assert difference(published.module, mutated, images) > 10 * TOLERANCE


def test_a_wrong_stride_is_noticed(published: Published, images: Tensor) -> None:
    swapped = with_stage(with_stage(published.architecture, 1, stride=1), 0, stride=2)
    assert published.difference(swapped, images) > 10 * TOLERANCE


@pytest.mark.parametrize("change", [{"kernel": 7}, {"expansion": 2}, {"depth": 9}, {"width": 40}])
def test_other_tensors_are_noticed(
    published: Published, images: Tensor, change: dict[str, Any]
) -> None:
    with pytest.raises(StateMismatchError):
        published.difference(with_stage(published.architecture, 1, **change), images)


@pytest.mark.parametrize("name", PUBLISHED)
def test_costs_that_torchvision_publishes(name: str) -> None:
    weights = {
        "mobilenet_v2": models.MobileNet_V2_Weights.IMAGENET1K_V1,
        "efficientnet_b0": models.EfficientNet_B0_Weights.IMAGENET1K_V1,
        "efficientnet_v2_s": models.EfficientNet_V2_S_Weights.IMAGENET1K_V1,
    }[name]
    resolution = {"efficientnet_v2_s": 384}.get(name, 224)
    measured = costs(reference(name, resolution).lower(CLASSES))
    assert measured.params == weights.meta["num_params"]
    assert measured.macs / 1e9 == pytest.approx(weights.meta["_ops"], abs=0.0006)


@pytest.mark.parametrize("multiplier", [0.35, 0.5, 0.75, 1.3, 1.4])
def test_mobilenet_v2_multiplied(multiplier: float) -> None:
    with torch.device("meta"):
        expected = parameter_count(models.mobilenet_v2(width_mult=multiplier))
    ours = reference("mobilenet_v2", width_multiplier=multiplier)
    assert costs(ours.lower(CLASSES)).params == expected


@pytest.mark.parametrize(
    ("module", "width", "depth"),
    [
        (models.efficientnet_b1, 1.0, 1.1),
        (models.efficientnet_b2, 1.1, 1.2),
        (models.efficientnet_b3, 1.2, 1.4),
        (models.efficientnet_b4, 1.4, 1.8),
    ],
    ids=["b1", "b2", "b3", "b4"],
)
def test_efficientnets_multiplied(
    module: Callable[..., nn.Module], width: float, depth: float
) -> None:
    """Rounded hidden widths and squeezed widths under a multiplier."""
    with torch.device("meta"):
        expected = parameter_count(module())
    ours = reference("efficientnet_b0", width_multiplier=width)
    stages = tuple(replace(stage, depth=math.ceil(stage.depth * depth)) for stage in ours.stages)
    assert costs(replace(ours, stages=stages).lower(CLASSES)).params == expected
