"""What a network costs, by arithmetic over its graph."""

from __future__ import annotations

from dataclasses import dataclass

from mbnas.network.graph import Graph, Node
from mbnas.network.primitives import (
    Activation,
    AveragePool,
    BatchNorm,
    Conv,
    Dropout,
    Input,
    Linear,
    Mix,
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


# What ONNX adds to the weights: a header, and for each node its operator, its attributes and the
# names of its values, each written where it is made and where it is read. Rounded from files
# written for 240 networks; `tests/` holds the estimate within 2 % of the file.
_FILE_BYTES = 170
_NODE_BYTES = {Conv: 148, Linear: 40, AveragePool: 100, Mix: 260, Select: 330}
_ACTIVATION_BYTES = {"relu6": 158, "silu": 116}  # written as more than one value


def _node_bytes(node: Node) -> int:
    if isinstance(node.op, (Input, BatchNorm, Dropout)):  # folded into the convolution, or gone
        return 0
    overhead = _NODE_BYTES.get(type(node.op), 20)
    if isinstance(node.op, Activation):
        overhead = _ACTIVATION_BYTES.get(node.op.kind, overhead)
    names = 6 if isinstance(node.op, (Conv, Linear)) else 2
    values = node.op.params
    if isinstance(node.op, Conv):  # the batch norm becomes a bias
        values = node.op.weights + node.op.out_channels
    return 4 * values + overhead + names * len(node.name)
