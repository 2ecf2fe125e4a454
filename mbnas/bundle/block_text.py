"""Blocks of one structure as one class, whose widths and strides are its parameters."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from mbnas.bundle.layers import FUNCTIONS, LAYERS
from mbnas.bundle.layout import INDENT, WIDTH, Call, Expression, call, lines
from mbnas.bundle.parts import Part, Unit, is_chain, nested, units, values
from mbnas.network import Node
from mbnas.network import primitives as ops

_INCOMING = ("in_channels", "in_features", "channels")
_OUTGOING = ("out_channels", "out_features")
_FREE_NAMES = ("y", "z", *(f"y{number}" for number in range(2, 100)))


@dataclass(slots=True)
class Parameters:
    """What differs between parts of one structure, each whole number named once.

    Attributes:
        alike: The parts.
        names: The parameters' names by their values in each part.
    """

    alike: Sequence[Part]
    names: dict[tuple[int, ...], str] = field(default_factory=dict)

    def fields(self, at: int) -> dict[str, Any]:
        """The fields of a node; instead of numbers that differ, their parameters' names."""
        every = [values(part.nodes[at]) for part in self.alike]
        node = self.alike[0].nodes[at]
        return {
            name: self._named(node, name, tuple(held[name] for held in every))
            if type(value) is int
            else value
            for name, value in every[0].items()
        }

    def of(self, position: int) -> dict[str, str]:
        """The arguments for one of the parts."""
        return {name: str(numbers[position]) for numbers, name in self.names.items()}

    def _named(self, node: Node, name: str, numbers: tuple[int, ...]) -> int | str:
        if len(set(numbers)) == 1:
            return numbers[0]
        if numbers not in self.names:
            stem = node.name.removesuffix(".conv").replace(".", "_")
            wished = stem if name in _OUTGOING else f"{stem}_{name}"
            if name in _INCOMING and not self.names:
                wished = "channels"
            self.names[numbers] = f"{stem}_{name}" if wished in self.names.values() else wished
        return self.names[numbers]


def chain_of(part: Part) -> Call:
    """A part that is one chain of layers, as that chain."""
    single = Parameters([part])
    return nested("chain", [_layer(part, single, at) for at in range(len(part.nodes))])


def class_text(name: str, alike: Sequence[Part]) -> tuple[str, list[Call]]:
    """A class for some parts of one structure, and a call of it for each of them."""
    part, parameters = alike[0], Parameters(alike)
    steps = units(part)
    attributes = [
        line
        for attribute, layer in _attributes(part, steps, parameters)
        for line in lines(f"self.{attribute} = ", layer, depth=2)
    ]
    body = [f"class {name}(nn.Module):", *_docstring([one.name for one in alike]), ""]
    if attributes:
        signature = call(
            "def __init__", "self", *(f"{one}: int" for one in parameters.names.values())
        )
        body += [*lines("", signature, " -> None:", depth=1), "        super().__init__()"]
        body += [*attributes, ""]
    inputs = (
        ["x"] if len(part.inputs) == 1 else [chr(ord("a") + at) for at in range(len(part.inputs))]
    )
    signature = call("def forward", "self", *(f"{one}: Tensor" for one in inputs))
    body += lines("", signature, " -> Tensor:", depth=1)
    body += [f"        {line}" for line in _forward(part, steps, inputs)]
    calls = [call(name, **parameters.of(position)) for position in range(len(alike))]
    return "\n".join(body) + "\n", calls


def _docstring(names: Sequence[str]) -> list[str]:
    """Where a class is used."""
    places = names if len(names) == 1 else dict.fromkeys(name.split(".")[0] for name in names)
    text = textwrap.wrap(f'"""Of {", ".join(places)}."""', WIDTH - len(INDENT))
    if len(text) > 1:
        text = [*textwrap.wrap(f'"""Of {", ".join(places)}.', WIDTH - len(INDENT)), '"""']
    return [f"{INDENT}{line}" for line in text]


def _attributes(
    part: Part, steps: Sequence[Unit], parameters: Parameters
) -> Iterator[tuple[str, Expression]]:
    held: dict[str, list[int]] = {}
    for unit in steps:
        if unit.attribute:
            held.setdefault(unit.attribute, []).extend(unit.nodes)
    for attribute, positions in held.items():
        layers = [_layer(part, parameters, at) for at in positions]
        if layers[0][0] == attribute:
            yield layers[0]
        else:
            inside = [(name.partition(".")[2], layer) for name, layer in layers]
            yield attribute, nested("chain" if is_chain(part, positions) else "group", inside)


def _layer(part: Part, parameters: Parameters, at: int) -> tuple[str, Expression]:
    node = part.nodes[at]
    return node.name, LAYERS[type(node.op)](parameters.fields(at))


def _forward(part: Part, steps: Sequence[Unit], inputs: Sequence[str]) -> Iterator[str]:
    """Statements, one a step; a value that only the next function takes stands within it."""
    names = {-1 - at: name for at, name in enumerate(inputs)}
    takes = {unit.nodes[-1]: part.sources(part.nodes[unit.nodes[0]]) for unit in steps}
    order = list(takes)
    last_use = {source: at for at in order for source in takes[at]}
    within: set[int] = set()
    for unit in steps:
        at = unit.nodes[-1]
        text = _text(part, unit, [names[source] for source in takes[at]])
        if at == order[-1]:
            yield f"return {text}"
        elif _stands_within(part, at, takes):
            names[at] = text
            within.add(at)
        else:
            dead = [names[s] for s in takes[at] if last_use[s] == at and s not in within]
            alive = {name for s, name in names.items() if s not in within and last_use[s] > at}
            free = (one for one in _FREE_NAMES if one not in alive)
            names[at] = dead[0] if dead and takes[at][0] not in within else next(free)
            yield f"{names[at]} = {text}"


def _stands_within(part: Part, at: int, takes: dict[int, tuple[int, ...]]) -> bool:
    """Whether a layer's value is best written where it is used: by one function, soon after."""
    if type(part.nodes[at].op) not in LAYERS:
        return False
    users = [user for user, sources in takes.items() for source in sources if source == at]
    if len(users) != 1:
        return False
    if not takes[at]:  # it computes nothing
        return True
    between = [other for other in takes if at < other < users[0]]
    function = type(part.nodes[users[0]].op) in FUNCTIONS
    return function and all(users[0] in _users(other, takes) for other in between)


def _users(at: int, takes: dict[int, tuple[int, ...]]) -> list[int]:
    return [user for user, sources in takes.items() if at in sources]


def _text(part: Part, unit: Unit, inputs: Sequence[str]) -> str:
    op: ops.Primitive = part.nodes[unit.nodes[-1]].op
    if not unit.attribute:
        return FUNCTIONS[type(op)](op, *inputs)
    key = "".join(f'["{word}"]' for word in unit.key)
    return f"self.{unit.attribute}{key}({', '.join(inputs)})"
