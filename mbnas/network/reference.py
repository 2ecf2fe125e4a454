"""Published networks written as architectures."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from mbnas.errors import SpaceError
from mbnas.network.architecture import Architecture
from mbnas.network.checks import checked, nearest
from mbnas.network.fields import Head, Stage, Stem


def mobilenet_v1(resolution: int = 224) -> Architecture:
    """MobileNetV1 (arXiv 1704.04861, table 1)."""
    rows = [(64, 1, 1), (128, 2, 2), (256, 2, 2), (512, 6, 2), (1024, 2, 2)]
    return Architecture(
        resolution=resolution,
        stem=Stem(width=32, stride=2, activation="relu"),
        stages=tuple(
            Stage(
                block="depthwise_separable",
                width=width,
                depth=depth,
                stride=stride,
                activation="relu",
            )
            for width, depth, stride in rows
        ),
    )


def mobilenet_v2(resolution: int = 224) -> Architecture:
    """MobileNetV2 (arXiv 1801.04381, table 2)."""
    rows = [
        (1, 16, 1, 1),
        (6, 24, 2, 2),
        (6, 32, 3, 2),
        (6, 64, 4, 2),
        (6, 96, 3, 1),
        (6, 160, 3, 2),
        (6, 320, 1, 1),
    ]
    return Architecture(
        resolution=resolution,
        stem=Stem(width=32, stride=2, activation="relu6"),
        stages=tuple(
            Stage(expansion=expansion, width=width, depth=depth, stride=stride)
            for expansion, width, depth, stride in rows
        ),
        head=Head(width=1280, dropout=0.2),
    )


def efficientnet_b0(resolution: int = 224) -> Architecture:
    """EfficientNet-B0 (arXiv 1905.11946, table 1)."""
    rows = [
        (1, 3, 16, 1, 1),
        (6, 3, 24, 2, 2),
        (6, 5, 40, 2, 2),
        (6, 3, 80, 3, 2),
        (6, 5, 112, 3, 1),
        (6, 5, 192, 4, 2),
        (6, 3, 320, 1, 1),
    ]
    return Architecture(
        resolution=resolution,
        stem=Stem(width=32, stride=2, activation="silu"),
        stages=tuple(
            Stage(
                expansion=expansion,
                kernel=kernel,
                width=width,
                depth=depth,
                stride=stride,
                se_ratio=0.25,
                activation="silu",
            )
            for expansion, kernel, width, depth, stride in rows
        ),
        head=Head(width=1280, activation="silu", dropout=0.2),
        round_hidden=True,
    )


def efficientnet_v2_s(resolution: int = 224) -> Architecture:
    """EfficientNetV2-S (arXiv 2104.00298, table 4)."""
    rows = [
        ("fused_mbconv", 1, 24, 2, 1, 0.0),
        ("fused_mbconv", 4, 48, 4, 2, 0.0),
        ("fused_mbconv", 4, 64, 4, 2, 0.0),
        ("mbconv", 4, 128, 6, 2, 0.25),
        ("mbconv", 6, 160, 9, 1, 0.25),
        ("mbconv", 6, 256, 15, 2, 0.25),
    ]
    return Architecture(
        resolution=resolution,
        stem=Stem(width=24, stride=2, activation="silu"),
        stages=tuple(
            Stage(
                block=block,
                expansion=expansion,
                width=width,
                depth=depth,
                stride=stride,
                se_ratio=se_ratio,
                activation="silu",
            )
            for block, expansion, width, depth, stride, se_ratio in rows
        ),
        head=Head(width=1280, activation="silu", dropout=0.2),
        bn_eps=1e-3,
        round_hidden=True,
    )


REFERENCES: dict[str, Callable[[int], Architecture]] = {
    "mobilenet_v1": mobilenet_v1,
    "mobilenet_v2": mobilenet_v2,
    "efficientnet_b0": efficientnet_b0,
    "efficientnet_v2_s": efficientnet_v2_s,
}


def reference(
    name: str, resolution: int = 224, *, width_multiplier: float = 1.0, small: bool = False
) -> Architecture:
    """A published network by name.

    Args:
        name: A key of `REFERENCES`.
        resolution: Height and width of the image in pixels.
        width_multiplier: Factor of all widths.
        small: Drop strides from the front until the last map is at least 4×4.

    Raises:
        SpaceError: no such network, or a resolution or multiplier that it cannot have.
    """
    if name not in REFERENCES:
        hint = nearest(name, REFERENCES) or f"; known: {', '.join(REFERENCES)}"
        raise SpaceError(f'reference network "{name}": unknown{hint}')
    # Built at its published size first: strides may be too many for a small image.
    architecture = replace(REFERENCES[name](224), width_multiplier=width_multiplier)
    if small:
        architecture = for_small_images(architecture, resolution)
    return replace(architecture, resolution=resolution)


def for_small_images(
    architecture: Architecture, resolution: int, smallest_map: int = 4
) -> Architecture:
    """Strides set to 1 from the front until the last map is at least `smallest_map` wide.

    Raises:
        SpaceError: no resolution.
    """
    resolution = checked(Architecture, "resolution", resolution, "architecture.resolution")
    strides = [architecture.stem.stride, *(stage.stride for stage in architecture.stages)]
    for at in range(len(strides)):
        if _last_map(resolution, strides) >= smallest_map:
            break
        strides[at] = 1
    return replace(
        architecture,
        resolution=resolution,
        stem=replace(architecture.stem, stride=strides[0]),
        stages=tuple(
            replace(stage, stride=stride)
            for stage, stride in zip(architecture.stages, strides[1:], strict=True)
        ),
    )


def _last_map(resolution: int, strides: list[int]) -> int:
    for stride in strides:
        resolution = -(-resolution // stride)
    return resolution
