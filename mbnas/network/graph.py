"""The lowered graph: a network as a short flat list of primitives.

Costs, the PyTorch module, the ONNX file and the drawing all read this list and nothing else, so
they cannot disagree about what a network is.
"""

from __future__ import annotations

import functools
import hashlib
from collections import Counter
from dataclasses import dataclass
from typing import NamedTuple

from mbnas.network.primitives import Activation, BatchNorm, Conv, Input, Linear, Primitive, Shape


class Node(NamedTuple):
    """One primitive at its place in the network.

    Attributes:
        name: Dotted and readable, `stage2.block1.expand.conv`; unique in its graph.
        op: What is computed.
        inputs: Positions of the nodes whose outputs it takes.
        shape: Shape of its output for one image.
    """

    name: str
    op: Primitive
    inputs: tuple[int, ...]
    shape: Shape


@dataclass(frozen=True, slots=True)
class Graph:
    """Nodes in an order in which they can be computed, from the image to the logits."""

    nodes: tuple[Node, ...]

    @property
    def input_shape(self) -> Shape:
        """(C, H, W) of one image."""
        return self.nodes[0].shape

    @property
    def classes(self) -> int:
        """Number of logits."""
        return self.nodes[-1].shape[0]

    def with_classes(self, classes: int) -> Graph:
        """The same network with so many logits."""
        if classes == self.classes:
            return self
        last = self.nodes[-1]
        assert isinstance(last.op, Linear)
        op = Linear(last.op.in_features, classes)
        return Graph((*self.nodes[:-1], Node(last.name, op, last.inputs, (classes,))))

    def last_uses(self) -> dict[int, int]:
        """For each node, the position of the last node that takes its output."""
        return {source: at for at, node in enumerate(self.nodes) for source in node.inputs}

    def digest(self) -> str:
        """A hash of what is computed; names do not enter it."""
        # A primitive's repr holds its kind and all its fields; floats are printed exactly.
        text = "\n".join(f"{node.op!r} {node.inputs}" for node in self.nodes)
        return hashlib.sha256(text.encode()).hexdigest()[:16]


# Networks of one space share most of these; a search looks at thousands of networks at once.
_conv = functools.lru_cache(maxsize=4096)(Conv)
_batch_norm = functools.lru_cache(maxsize=4096)(BatchNorm)
_activation = functools.lru_cache(maxsize=64)(Activation)


class GraphBuilder:
    """Appends nodes one after another; every method returns the new node's position."""

    def __init__(self, channels: int, resolution: int, bn_eps: float) -> None:
        self.bn_eps = bn_eps
        self._nodes: list[Node] = []
        self.add("image", Input(channels, resolution))

    def add(self, name: str, op: Primitive, *inputs: int) -> int:
        """Any primitive."""
        nodes = self._nodes
        shape = op.output_shape(*[nodes[at].shape for at in inputs])
        nodes.append(Node(name, op, inputs, shape))
        return len(nodes) - 1

    def channels(self, at: int) -> int:
        """Channels of a node's output."""
        return self._nodes[at].shape[0]

    def conv(
        self,
        name: str,
        source: int,
        width: int,
        *,
        kernel: int = 1,
        stride: int = 1,
        depthwise: bool = False,
        activation: str | None = None,
    ) -> int:
        """Convolution → batch norm → activation; without an activation, a linear convolution."""
        incoming = self.channels(source)
        groups = incoming if depthwise else 1
        at = self.add(f"{name}.conv", _conv(incoming, width, kernel, stride, groups), source)
        at = self.add(f"{name}.norm", _batch_norm(width, self.bn_eps), at)
        return at if activation is None else self.add(f"{name}.act", _activation(activation), at)

    def build(self) -> Graph:
        """The finished graph, its last node the output.

        Raises:
            ValueError: two nodes of one name: a block or fusion names one as its neighbour does.
        """
        if len({node.name for node in self._nodes}) < len(self._nodes):
            (name, _), *_ = Counter(node.name for node in self._nodes).most_common(1)
            raise ValueError(f"two nodes are called {name}")
        return Graph(tuple(self._nodes))
