"""A network as the units in which ONNX Runtime spends its time.

A unit is a convolution with its norm, activation and residual sum, a squeeze-and-excitation, a
fusion, or the head: what is fused or changes the maps' layout together. Its features are those
that decide how long it takes: widths, map sizes, kernels and strides.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from mbnas.network import Graph, Node
from mbnas.network import primitives as ops

_SILENT = (ops.Input, ops.BatchNorm, ops.Dropout)
"""What leaves no trace in an inference."""


@dataclass(frozen=True, slots=True)
class Unit:
    """A part of a network, up to its name.

    Attributes:
        kind: Its operators in order; units of one kind have the same features.
        features: Logarithms of widths and map sizes; kernels and strides as they are.
        work: Logarithms of MACs, weights and values that pass: what any two units share.
    """

    kind: str
    features: tuple[float, ...]
    work: tuple[float, float, float]


def units(graph: Graph) -> dict[str, Unit]:
    """The units of a network by name, in order."""
    return {name: _unit(graph, nodes) for name, nodes in _grouped(graph).items()}


def unit_names(graph: Graph) -> dict[str, str]:
    """For each node's name, that of its unit."""
    return {node.name: name for name, nodes in _grouped(graph).items() for node in nodes}


def _grouped(graph: Graph) -> dict[str, list[Node]]:
    groups: dict[str, list[Node]] = {}
    where: dict[int, str] = {}
    for at, node in enumerate(graph.nodes):
        if isinstance(node.op, ops.Input):
            continue
        name = node.name.rpartition(".")[0]
        if isinstance(node.op, ops.Add):  # becomes part of the convolution before it
            name = where[node.inputs[0]]
        elif ".fusion." in node.name:
            name = node.name.partition(".fusion.")[0] + ".fusion"
        where[at] = name
        groups.setdefault(name, []).append(node)
    return groups


def _unit(graph: Graph, nodes: list[Node]) -> Unit:
    kinds: list[str] = []
    features: list[float] = []
    macs = weights = values = 0
    for node in nodes:
        if isinstance(node.op, _SILENT):
            continue
        sources = [graph.nodes[at].shape for at in node.inputs]
        kinds.append(_kind(node.op))
        features += _features(node, sources)
        macs += node.op.macs(node.shape)
        weights += node.op.params
        values += math.prod(node.shape) + sum(math.prod(shape) for shape in sources)
    work = (math.log1p(macs), math.log1p(weights), math.log1p(values))
    return Unit("+".join(kinds), tuple(features), work)


def _kind(op: ops.Primitive) -> str:
    name = type(op).__name__
    if isinstance(op, ops.Conv) and (op.groups > 1 or op.kernel == 1):
        return "DepthwiseConv" if op.groups > 1 else "PointwiseConv"
    return f"{name}.{op.kind}" if isinstance(op, ops.Activation) else name


def _features(node: Node, sources: list[ops.Shape]) -> list[float]:
    op = node.op
    if isinstance(op, ops.Conv):
        size = math.log(sources[0][1])
        wide = [] if op.groups > 1 else [math.log(op.in_channels)]
        return [*wide, math.log(op.out_channels), size, op.kernel, op.stride]
    if isinstance(op, ops.AveragePool):
        return [op.kernel, math.log(node.shape[0])]
    if isinstance(op, (ops.Concat, ops.Mix, ops.Linear, ops.GlobalAveragePool)):
        return [math.log(size) for size in node.shape[:2]]
    return []
