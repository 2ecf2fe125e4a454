"""Feature fusion, each kind one lowering function. A new one is entered in `FUSIONS`.

A fusion joins a stage's output *b* with an earlier map *a*, already brought to b's map size.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from mbnas.network.graph import GraphBuilder
from mbnas.network.primitives import (
    Activation,
    AveragePool,
    Concat,
    Flatten,
    GlobalAveragePool,
    Linear,
    Mix,
    Scalar,
    Select,
    Softmax,
)


@dataclass(frozen=True, slots=True)
class FusionSettings:
    """What a fusion is told.

    Attributes:
        project: concat: whether a 1×1 convolution brings the maps back to the stage's width.
        alpha: weighted_sum: the fixed weight of the earlier map; None learns it.
        activation: The stage's activation.
    """

    project: bool
    alpha: float | None
    activation: str


Lowering = Callable[[GraphBuilder, str, int, int, FusionSettings], int]


def fuse(
    graph: GraphBuilder,
    kind: str,
    name: str,
    earlier: int,
    output: int,
    stride_between: int,
    settings: FusionSettings,
) -> int:
    """Joins `output` with `earlier`, whose map is `stride_between` times as large."""
    if kind == "none" or earlier == output:  # a map fused with itself is that map
        return output
    if stride_between > 1:
        earlier = graph.add(f"{name}.pool", AveragePool(stride_between), earlier)
    return FUSIONS[kind](graph, name, earlier, output, settings)


def none(
    graph: GraphBuilder,  # noqa: ARG001
    name: str,  # noqa: ARG001
    earlier: int,  # noqa: ARG001
    output: int,
    settings: FusionSettings,  # noqa: ARG001
) -> int:
    """The stage's output as it is."""
    return output


def concat(
    graph: GraphBuilder, name: str, earlier: int, output: int, settings: FusionSettings
) -> int:
    """Both maps side by side, then a 1×1 convolution back to the stage's width."""
    width = graph.channels(output)
    at = graph.add(f"{name}.concat", Concat(), earlier, output)
    if not settings.project:
        return at
    return graph.conv(f"{name}.project", at, width, activation=settings.activation)


def weighted_sum(
    graph: GraphBuilder, name: str, earlier: int, output: int, settings: FusionSettings
) -> int:
    """`w·a + (1−w)·b`, w fixed or the sigmoid of one learned scalar that starts at 0."""
    earlier = match_width(graph, name, earlier, output)
    if settings.alpha is None:
        weight = graph.add(f"{name}.logit", Scalar(0.0, learned=True))
        weight = graph.add(f"{name}.weight", Activation("sigmoid"), weight)
    else:
        weight = graph.add(f"{name}.weight", Scalar(settings.alpha, learned=False))
    return graph.add(f"{name}.mix", Mix(), earlier, output, weight)


def attention(
    graph: GraphBuilder,
    name: str,
    earlier: int,
    output: int,
    settings: FusionSettings,  # noqa: ARG001
) -> int:
    """The two weights of the sum for each image, by softmax from the pooled maps."""
    earlier = match_width(graph, name, earlier, output)
    pooled = [
        graph.add(f"{name}.pool_{which}", GlobalAveragePool(), at)
        for which, at in (("earlier", earlier), ("output", output))
    ]
    at = graph.add(f"{name}.concat", Concat(), *pooled)
    at = graph.add(f"{name}.flatten", Flatten(), at)
    at = graph.add(f"{name}.logits", Linear(graph.channels(at), 2), at)
    at = graph.add(f"{name}.softmax", Softmax(), at)
    # Two softmax weights sum to 1, so the first alone says both.
    at = graph.add(f"{name}.weight", Select(0), at)
    return graph.add(f"{name}.mix", Mix(), earlier, output, at)


def match_width(graph: GraphBuilder, name: str, earlier: int, output: int) -> int:
    """The earlier map at the output's width, by a 1×1 linear convolution where it differs."""
    width = graph.channels(output)
    return (
        earlier if graph.channels(earlier) == width else graph.conv(f"{name}.match", earlier, width)
    )


FUSIONS: dict[str, Lowering] = {
    "none": none,
    "concat": concat,
    "weighted_sum": weighted_sum,
    "attention": attention,
}
