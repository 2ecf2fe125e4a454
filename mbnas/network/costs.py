"""What a network costs, by arithmetic over its graph."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from mbnas.network.graph import Graph, Node
from mbnas.network.primitives import (
    Activation,
    AveragePool,
    BatchNorm,
    Conv,
    Dropout,
    GlobalAveragePool,
    Input,
    Linear,
    Mix,
    Primitive,
    Select,
    Shape,
)


@dataclass(frozen=True, slots=True)
class Costs:
    """Costs of one network on one image.

    Attributes:
        params: Learned values, batch norms' weights and biases included.
        macs: Multiply-accumulates of convolutions and linear layers.
        size_bytes: Size of the deployed ONNX file, batch norms folded (an estimate within 2 %).
        resolution: Height and width of the image in pixels.
    """

    params: int
    macs: int
    size_bytes: int
    resolution: int


@dataclass(frozen=True, slots=True)
class LayerCosts:
    """Costs of one node, for tables; `shape` is its output's, (C, H, W) or (C,)."""

    name: str
    kind: str
    shape: Shape
    params: int
    macs: int


def costs(graph: Graph) -> Costs:
    """All costs of a network."""
    return Costs(
        params=sum(node.op.params for node in graph.nodes),
        macs=sum(node.op.macs(node.shape) for node in graph.nodes),
        size_bytes=_size_bytes(graph),
        resolution=graph.input_shape[1],
    )


def layer_costs(graph: Graph) -> list[LayerCosts]:
    """The same, node by node, in order."""
    return [
        LayerCosts(
            name=node.name,
            kind=type(node.op).__name__,
            shape=node.shape,
            params=node.op.params,
            macs=node.op.macs(node.shape),
        )
        for node in graph.nodes
    ]


# What ONNX adds to the weights. Each entry: bytes for the operator and its attributes, and how
# often its name is written beside the places that read it. The bytes are fitted to written files;
# `tests/` holds the estimate within 2 % of the file.
_FILE_BYTES = 83
_OVERHEAD: dict[Primitive, tuple[int, int]] = {
    Activation("relu6"): (59, 5),
    Activation("silu"): (61, 3),
}
_OVERHEAD_OF_KIND: dict[type[Primitive], tuple[int, int]] = {
    Conv: (152, 5),
    Linear: (68, 5),
    AveragePool: (97, 1),
    GlobalAveragePool: (35, 1),
    Mix: (121, 9),
    Select: (210, 11),
}
_OTHER = (8, 1)
_LEFT_OUT = (BatchNorm, Dropout)  # folded into the convolution, or nothing at inference


def _size_bytes(graph: Graph) -> int:
    readers = Counter(
        _written(graph, at)
        for node in graph.nodes
        if not isinstance(node.op, _LEFT_OUT)
        for at in node.inputs
    )
    return _FILE_BYTES + sum(
        _node_bytes(node, readers[at])
        for at, node in enumerate(graph.nodes)
        if not isinstance(node.op, (Input, *_LEFT_OUT))
    )


def _written(graph: Graph, at: int) -> int:
    """The node whose output stands for node `at` in the file."""
    while isinstance(graph.nodes[at].op, _LEFT_OUT):
        (at,) = graph.nodes[at].inputs
    return at


def _node_bytes(node: Node, readers: int) -> int:
    values = node.op.params
    if isinstance(node.op, Conv):  # the batch norm becomes a bias
        values = node.op.weights + node.op.out_channels
    kind = _OVERHEAD_OF_KIND.get(type(node.op), _OTHER)
    overhead, names = _OVERHEAD.get(node.op, kind)
    return 4 * values + overhead + (names + readers) * len(node.name)
