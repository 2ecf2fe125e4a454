"""Reference networks against the figures of their papers."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from mbnas.errors import SpaceError
from mbnas.network import REFERENCES, Architecture, Costs, costs, for_small_images, reference


def costs_of(architecture: Architecture) -> Costs:
    return costs(architecture.lower(1000))


@pytest.mark.parametrize(
    ("name", "params", "macs"),
    [
        ("mobilenet_v1", 4_231_976, 568_740_352),
        ("mobilenet_v2", 3_504_872, 300_774_272),
        ("efficientnet_b0", 5_288_548, 385_814_752),
        ("efficientnet_v2_s", 21_458_488, 2_849_895_872),
    ],
)
def test_exact_costs_for_a_thousand_classes_at_224(name: str, params: int, macs: int) -> None:
    measured = costs_of(reference(name))
    assert (measured.params, measured.macs) == (params, macs)
    assert measured.resolution == 224


@pytest.mark.parametrize(
    ("name", "multiplier", "resolution", "million_params", "million_macs"),
    [
        # arXiv 1704.04861, tables 6 and 7
        ("mobilenet_v1", 1.0, 224, 4.2, 569),
        ("mobilenet_v1", 0.75, 224, 2.6, 325),
        ("mobilenet_v1", 0.5, 224, 1.3, 149),
        ("mobilenet_v1", 0.25, 224, 0.5, 41),
        ("mobilenet_v1", 1.0, 192, 4.2, 418),
        ("mobilenet_v1", 1.0, 160, 4.2, 290),
        ("mobilenet_v1", 1.0, 128, 4.2, 186),
        # arXiv 1801.04381, table 4; the params of torchvision's and TensorFlow's model
        ("mobilenet_v2", 1.0, 224, 3.5, 300),
        ("mobilenet_v2", 1.4, 224, 6.1, 585),
        ("mobilenet_v2", 0.75, 224, 2.6, 209),
        ("mobilenet_v2", 0.35, 224, 1.7, 59),
        # arXiv 1905.11946, table 2
        ("efficientnet_b0", 1.0, 224, 5.3, 390),
        # torchvision's figures for EfficientNetV2-S, at 384 pixels
        ("efficientnet_v2_s", 1.0, 384, 21.5, 8366),
    ],
)
def test_published_costs(
    name: str, multiplier: float, resolution: int, million_params: float, million_macs: float
) -> None:
    measured = costs_of(reference(name, resolution, width_multiplier=multiplier))
    assert measured.params / 1e6 == pytest.approx(million_params, abs=0.051)
    assert measured.macs / 1e6 == pytest.approx(million_macs, rel=0.012)


@pytest.mark.parametrize(("multiplier", "width"), [(0.35, 1280), (1.0, 1280), (1.4, 1792)])
def test_no_multiplier_shrinks_the_head_convolution(multiplier: float, width: int) -> None:
    graph = reference("mobilenet_v2", width_multiplier=multiplier).lower()
    (head,) = (node for node in graph.nodes if node.name == "head.features.conv")
    assert head.shape[0] == width


def strides_of(architecture: Architecture) -> list[int]:
    return [architecture.stem.stride, *(stage.stride for stage in architecture.stages)]


def with_strides(architecture: Architecture, strides: list[int]) -> Architecture:
    return replace(
        architecture,
        stem=replace(architecture.stem, stride=strides[0]),
        stages=tuple(
            replace(stage, stride=stride)
            for stage, stride in zip(architecture.stages, strides[1:], strict=True)
        ),
    )


def last_map(architecture: Architecture) -> int:
    return next(
        node.shape[1] for node in reversed(architecture.lower().nodes) if node.shape[1:] > (1, 1)
    )


@pytest.mark.parametrize("name", REFERENCES)
@pytest.mark.parametrize("resolution", [4, 7, 8, 17, 28, 32, 33, 64, 96, 97, 224])
def test_small_form_drops_only_leading_strides_and_no_more_than_needed(
    name: str, resolution: int
) -> None:
    published = strides_of(reference(name))
    small = reference(name, resolution, small=True)
    strides = strides_of(small)

    assert last_map(small) >= 4
    kept = next((at for at, stride in enumerate(strides) if stride > 1), len(strides))
    assert strides == [1] * kept + published[kept:]
    if strides != published:
        # With the last dropped stride put back, the last map would be smaller than 4×4.
        dropped = max(at for at in range(kept) if published[at] > 1)
        less = with_strides(small, [1] * dropped + published[dropped:])
        assert last_map(less) < 4
    # Nothing but strides and resolution differs from the published network.
    assert with_strides(replace(small, resolution=224), published) == reference(name)


def test_small_forms_at_32() -> None:
    assert strides_of(reference("mobilenet_v2", 32, small=True)) == [1, 1, 1, 2, 2, 1, 2, 1]
    assert strides_of(reference("mobilenet_v1", 32, small=True)) == [1, 1, 1, 2, 2, 2]
    assert strides_of(reference("efficientnet_v2_s", 224, small=True)) == [2, 1, 2, 2, 2, 1, 2]


def test_smallest_map_is_an_argument() -> None:
    small = for_small_images(reference("mobilenet_v2"), 32, smallest_map=8)
    assert last_map(small) == 8
    assert small.resolution == 32


def test_unknown_network() -> None:
    with pytest.raises(SpaceError, match=r'"mobilenet_v3".*did you mean "mobilenet_v[12]"'):
        reference("mobilenet_v3")
    with pytest.raises(SpaceError, match=r"known: mobilenet_v1, .*efficientnet_v2_s"):
        reference("zzz")


@pytest.mark.parametrize("small", [True, False])
def test_a_resolution_that_is_none(small: bool) -> None:
    wrong: Any = "32"
    with pytest.raises(SpaceError, match=r'^architecture\.resolution = "32": must be a whole'):
        reference("mobilenet_v2", wrong, small=small)


def test_too_many_strides_for_the_image_are_refused() -> None:
    with pytest.raises(SpaceError, match=r"stride = 2: its map is only 1×1 at resolution 8"):
        reference("mobilenet_v2", 8)
