"""The blocks, each one lowering function. A new block is one more of them, entered in `BLOCKS`."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from mbnas.network.graph import GraphBuilder
from mbnas.network.primitives import Activation, Add, Conv, GlobalAveragePool, Multiply
from mbnas.network.widths import WidthRule


@dataclass(frozen=True, slots=True)
class BlockSettings:
    """What a block is told: its stage's fields, its own stride, and the network's width rule."""

    width: int
    stride: int
    kernel: int
    expansion: float
    se_ratio: float
    activation: str
    rule: WidthRule


Lowering = Callable[[GraphBuilder, str, int, BlockSettings], int]


def mbconv(graph: GraphBuilder, name: str, source: int, settings: BlockSettings) -> int:
    """Inverted residual (MobileNetV2, arXiv 1801.04381) with EfficientNet's SE (1905.11946)."""
    incoming = graph.channels(source)
    hidden = settings.rule.hidden(incoming, settings.expansion)
    at = source
    if settings.expansion != 1:
        at = graph.conv(f"{name}.expand", at, hidden, activation=settings.activation)
    at = graph.conv(
        f"{name}.depthwise",
        at,
        graph.channels(at),
        kernel=settings.kernel,
        stride=settings.stride,
        depthwise=True,
        activation=settings.activation,
    )
    at = squeeze_excitation(graph, f"{name}.se", at, incoming, settings)
    at = graph.conv(f"{name}.project", at, settings.width)
    return residual(graph, name, source, at, settings)


def fused_mbconv(graph: GraphBuilder, name: str, source: int, settings: BlockSettings) -> int:
    """One k×k convolution expands and filters (EfficientNetV2, arXiv 2104.00298)."""
    incoming = graph.channels(source)
    expands = settings.expansion != 1
    at = graph.conv(
        f"{name}.fused",
        source,
        settings.rule.hidden(incoming, settings.expansion) if expands else settings.width,
        kernel=settings.kernel,
        stride=settings.stride,
        activation=settings.activation,
    )
    at = squeeze_excitation(graph, f"{name}.se", at, incoming, settings)
    if expands:
        at = graph.conv(f"{name}.project", at, settings.width)
    return residual(graph, name, source, at, settings)


def depthwise_separable(
    graph: GraphBuilder, name: str, source: int, settings: BlockSettings
) -> int:
    """Depthwise then pointwise, both activated, no residual (MobileNetV1, arXiv 1704.04861)."""
    incoming = graph.channels(source)
    at = graph.conv(
        f"{name}.depthwise",
        source,
        incoming,
        kernel=settings.kernel,
        stride=settings.stride,
        depthwise=True,
        activation=settings.activation,
    )
    at = squeeze_excitation(graph, f"{name}.se", at, incoming, settings)
    return graph.conv(f"{name}.pointwise", at, settings.width, activation=settings.activation)


def identity(graph: GraphBuilder, name: str, source: int, settings: BlockSettings) -> int:
    """Nothing; where stride or width changes, a strided 1×1 linear convolution."""
    if settings.stride == 1 and settings.width == graph.channels(source):
        return source
    return graph.conv(f"{name}.shortcut", source, settings.width, stride=settings.stride)


def squeeze_excitation(
    graph: GraphBuilder, name: str, source: int, block_input: int, settings: BlockSettings
) -> int:
    """Scales each channel by what the whole map holds (arXiv 1709.01507); ratio 0 leaves it out.

    The squeezed width follows the *block's* input, as in EfficientNet, not the expanded width.
    """
    if settings.se_ratio == 0:
        return source
    channels = graph.channels(source)
    squeezed = max(1, math.floor(settings.se_ratio * block_input + 1e-9))
    at = graph.add(f"{name}.pool", GlobalAveragePool(), source)
    at = graph.add(f"{name}.reduce", Conv(channels, squeezed, bias=True), at)
    at = graph.add(f"{name}.act", Activation(settings.activation), at)
    at = graph.add(f"{name}.restore", Conv(squeezed, channels, bias=True), at)
    at = graph.add(f"{name}.gate", Activation("sigmoid"), at)
    return graph.add(f"{name}.scale", Multiply(), source, at)


def residual(graph: GraphBuilder, name: str, source: int, at: int, settings: BlockSettings) -> int:
    """Adds the block's input where neither stride nor width stands against it."""
    if settings.stride == 1 and graph.channels(source) == settings.width:
        return graph.add(f"{name}.add", Add(), at, source)
    return at


BLOCKS: dict[str, Lowering] = {
    "mbconv": mbconv,
    "fused_mbconv": fused_mbconv,
    "depthwise_separable": depthwise_separable,
    "identity": identity,
}
