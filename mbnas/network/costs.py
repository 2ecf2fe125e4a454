"""What a network costs, by arithmetic over its graph."""

from __future__ import annotations

from dataclasses import dataclass

from mbnas.network.graph import Graph, Node
from mbnas.network.primitives import BatchNorm, Conv, Dropout, Shape


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
        size_bytes=_FILE_BYTES + sum(_node_bytes(node) for node in graph.nodes),
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


# What ONNX adds to the weights: a header for the file, and for each node its name thrice, its
# operator and attributes. Fitted to written files; `tests/` holds the estimate within 2 %.
_FILE_BYTES = 160
_NODE_BYTES = 40


def _node_bytes(node: Node) -> int:
    if isinstance(node.op, (BatchNorm, Dropout)):  # folded into the convolution, or gone
        return 0
    values = node.op.params
    if isinstance(node.op, Conv):
        values = node.op.weights + node.op.out_channels
    return 4 * values + _NODE_BYTES + 3 * len(node.name)
