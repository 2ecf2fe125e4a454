"""From the fields of a network to its graph of primitives: the one definition of what they mean."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from mbnas.errors import SpaceError
from mbnas.network.blocks import BLOCKS, BlockSettings
from mbnas.network.fields import Head, Stage, Stem
from mbnas.network.fusion import FusionSettings, fuse
from mbnas.network.graph import Graph, GraphBuilder
from mbnas.network.primitives import Activation, Dropout, Flatten, GlobalAveragePool, Linear
from mbnas.network.widths import WidthRule

MOST_BLOCKS = 1_000


@dataclass(frozen=True, slots=True)
class _Entry:
    """A map that a later stage may fuse with, and the stride from the image to it."""

    at: int
    stride: int


def lower(
    *,
    resolution: int,
    stem: Stem,
    stages: Sequence[Stage],
    head: Head,
    rule: WidthRule,
    bn_eps: float,
    classes: int,
    channels: int,
) -> Graph:
    """The graph of a network for images (channels, resolution, resolution); `check_maps` first."""
    graph = GraphBuilder(channels, resolution, bn_eps)
    at = graph.conv(
        "stem", 0, rule.width(stem.width), kernel=3, stride=stem.stride, activation=stem.activation
    )
    entries = [_Entry(at, stem.stride)]
    for position, stage in enumerate(stages, start=1):
        at = _stage(graph, f"stage{position}", at, stage, rule)
        stride = entries[-1].stride * stage.stride
        if stage.fusion.type != "none":
            earlier = entries[-stage.fusion_from]
            settings = FusionSettings(stage.fusion.project, stage.fusion.alpha, stage.activation)
            between = stride // earlier.stride
            name = f"stage{position}.fusion"
            at = fuse(graph, stage.fusion.type, name, earlier.at, at, between, settings)
        entries.append(_Entry(at, stride))
    _head(graph, at, head, rule, classes)
    return graph.build()


def _stage(graph: GraphBuilder, name: str, at: int, stage: Stage, rule: WidthRule) -> int:
    for number in range(1, stage.depth + 1):
        settings = BlockSettings(
            width=rule.width(stage.width),
            stride=stage.stride if number == 1 else 1,
            kernel=stage.kernel,
            expansion=stage.expansion,
            se_ratio=stage.se_ratio,
            activation=stage.activation,
            rule=rule,
        )
        at = BLOCKS[stage.block](graph, f"{name}.block{number}", at, settings)
    return at


@functools.cache
def fields_used(block: str) -> frozenset[str]:
    """Which of a stage's `kernel`, `expansion`, `se_ratio` and `activation` change its blocks."""
    usual = Stage(block=block, width=24, kernel=3, expansion=2, se_ratio=0, activation="relu")
    others = {
        "kernel": replace(usual, kernel=5),
        "expansion": replace(usual, expansion=4),
        "se_ratio": replace(usual, se_ratio=0.5),
        "activation": replace(usual, activation="silu"),
    }

    def lowered(stage: Stage) -> str:
        graph = GraphBuilder(channels=16, resolution=8, bn_eps=1e-5)
        _stage(graph, "stage", 0, stage, WidthRule(multiplier=1, divisor=8, round_hidden=False))
        return graph.build().digest()

    return frozenset(name for name, other in others.items() if lowered(other) != lowered(usual))


def _head(graph: GraphBuilder, at: int, head: Head, rule: WidthRule, classes: int) -> None:
    if head.width:
        at = graph.conv("head.features", at, rule.head(head.width), activation=head.activation)
    at = graph.add("head.pool", GlobalAveragePool(), at)
    at = graph.add("head.flatten", Flatten(), at)
    if head.hidden:
        at = graph.add("head.hidden", Linear(graph.channels(at), head.hidden), at)
        at = graph.add("head.act", Activation(head.activation), at)
    if head.dropout:
        at = graph.add("head.dropout", Dropout(head.dropout), at)
    graph.add("head.classifier", Linear(graph.channels(at), classes), at)


def check_maps(resolution: int, stem: Stem, stages: Sequence[Stage]) -> None:
    """Whether every map that a network speaks of is there; much quicker than lowering it.

    Raises:
        SpaceError: a stride larger than its map, a fusion from before the stem, or more blocks
            than anybody wants.
    """
    check_blocks(stage.depth for stage in stages)
    side = _strided(resolution, stem.stride, "stem", resolution)
    for position, stage in enumerate(stages, start=1):
        place = f"stage {position}"
        side = _strided(side, stage.stride, place, resolution)
        if stage.fusion.type != "none" and stage.fusion_from > position:
            raise SpaceError(before_the_stem(place, stage.fusion_from, position))


def check_blocks(depths: Iterable[int]) -> None:
    """Refuses what a file of a few lines may ask for and no machine can hold.

    Raises:
        SpaceError: the stages' depths come to more than `MOST_BLOCKS`.
    """
    blocks = sum(depths)
    if blocks > MOST_BLOCKS:
        raise SpaceError(
            f"depth: {blocks:,} blocks in all stages together; at most {MOST_BLOCKS:,},"
            " lower a depth or leave stages out"
        )


def _strided(side: int, stride: int, place: str, resolution: int) -> int:
    if stride > side:
        raise SpaceError(stride_beyond_map(place, stride, side, resolution))
    return -(-side // stride)


def stride_beyond_map(place: str, stride: int, side: int, resolution: int) -> str:
    """What is said of a stride that does what a smaller one does as well."""
    return (
        f"{place}, stride = {stride}: its map is only {side}×{side} at resolution {resolution};"
        " lower a stride or raise the resolution"
    )


def before_the_stem(place: str, fusion_from: int, most: int) -> str:
    """What is said of a fusion with a map that is not there."""
    return f"{place}, fusion_from = {fusion_from}: points before the stem; at most {most} here"
