"""A graph cut into the parts that a reader thinks in: stem, blocks, fusions, head."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from itertools import groupby, pairwise
from typing import Any

from mbnas.bundle.layers import LAYERS
from mbnas.bundle.layout import Call, Expression, call
from mbnas.network import Graph, Node


@dataclass(frozen=True, slots=True)
class Part:
    """Consecutive nodes with one beginning of their names, of which the last is read by others.

    Attributes:
        name: That beginning, `stage2.block1`.
        at: The nodes' positions in the graph.
        nodes: The nodes, named without it.
        inputs: Positions of what they take from outside, in the order of their first use.
    """

    name: str
    at: range
    nodes: tuple[Node, ...]
    inputs: tuple[int, ...]

    @property
    def shape_key(self) -> tuple[Any, ...]:
        """The same for parts that differ in layers' whole numbers alone."""
        return tuple(
            (node.name, type(node.op), _fixed(node), self.sources(node)) for node in self.nodes
        )

    def sources(self, node: Node) -> tuple[int, ...]:
        """A node's inputs: nodes of this part from 0 on, what comes from outside from -1 down."""
        return tuple(
            source - self.at.start if source in self.at else -1 - self.inputs.index(source)
            for source in node.inputs
        )


def _fixed(node: Node) -> tuple[Any, ...]:
    everything = values(node)
    if type(node.op) not in LAYERS:
        return tuple(everything.items())
    return tuple((name, value) for name, value in everything.items() if type(value) is not int)


def values(node: Node) -> dict[str, Any]:
    """A primitive's fields."""
    return {field.name: getattr(node.op, field.name) for field in fields(node.op)}  # type: ignore[arg-type]


def parts(graph: Graph) -> list[Part]:
    """The parts of a network in their order."""
    numbered = list(enumerate(graph.nodes))[1:]
    found = []
    for name, held in groupby(numbered, lambda pair: _part_name(pair[1].name)):
        pairs = list(held)
        at = range(pairs[0][0], pairs[-1][0] + 1)
        outside = [source for _, node in pairs for source in node.inputs if source not in at]
        nodes = tuple(node._replace(name=node.name[len(name) + 1 :]) for _, node in pairs)
        found.append(Part(name, at, nodes, tuple(dict.fromkeys(outside))))
    return found


def _part_name(name: str) -> str:
    words = name.split(".")
    return ".".join(words[:2] if words[0].startswith("stage") else words[:1])


@dataclass(frozen=True, slots=True)
class Unit:
    """What is called at once: a layer, layers in a chain, or a function.

    Attributes:
        attribute: The part's attribute that holds it; "" of a function.
        nodes: Positions among the part's nodes, in order.
        key: Where the attribute is a group of layers, the way to this one in it.
    """

    attribute: str
    nodes: tuple[int, ...]
    key: tuple[str, ...] = ()


def units(part: Part) -> list[Unit]:
    """What a part's `forward` calls, in order."""
    found: list[Unit] = []
    held: dict[str, list[int]] = {}
    for at, node in enumerate(part.nodes):
        if type(node.op) in LAYERS:
            held.setdefault(node.name.split(".")[0], []).append(at)
        else:
            found.append(Unit("", (at,)))
    for name, layers in held.items():
        if is_chain(part, layers):
            found.append(Unit(name, tuple(layers)))
        else:
            keys = [tuple(part.nodes[at].name.split(".")[1:]) for at in layers]
            found.extend(Unit(name, (at,), key) for at, key in zip(layers, keys, strict=True))
    return sorted(found, key=lambda unit: unit.nodes[-1])


def is_chain(part: Part, positions: Sequence[int]) -> bool:
    """Whether some nodes are layers of which each takes the one before and nobody else does."""
    if any(type(part.nodes[at].op) not in LAYERS for at in positions):
        return False
    takes = {at: part.sources(part.nodes[at]) for at in range(len(part.nodes))}
    return all(
        takes[at] == (before,) and sum(before in sources for sources in takes.values()) == 1
        for before, at in pairwise(positions)
    )


def nested(head: str, layers: Sequence[tuple[str, Expression]]) -> Call:
    """Layers by their dotted names: calls of `head` within a call of `head`."""
    inside: dict[str, Expression] = {}
    for word, held in groupby(layers, lambda pair: pair[0].split(".")[0]):
        pairs = list(held)
        if pairs[0][0] == word:
            inside[word] = pairs[0][1]
        else:
            deeper = [(name.partition(".")[2], layer) for name, layer in pairs]
            inside[word] = nested(head, deeper)
    return call(head, **inside)
