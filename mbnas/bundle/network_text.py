"""model.py: a network as one readable file of plain PyTorch, written from its graph alone."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import groupby, pairwise

from mbnas.bundle.block_text import chain_of, class_text
from mbnas.bundle.layers import HELPERS
from mbnas.bundle.layout import Expression, call, lines, strings
from mbnas.bundle.parts import Part, is_chain, parts
from mbnas.network import Graph

_IMPORTS = """\
from __future__ import annotations

import json
{ordered}from pathlib import Path

import torch
from torch import Tensor, nn

"""
_CHAIN = '''\
def chain(**layers: nn.Module) -> nn.Sequential:
    """Layers that run one after another."""
    return nn.Sequential(OrderedDict(layers))
'''
_GROUP = '''\
def group(**blocks: nn.Module) -> nn.ModuleDict:
    """Blocks that do not run one after another."""
    return nn.ModuleDict(blocks)
'''
_LOAD = '''\
def load(path: str | Path = WEIGHTS) -> Network:
    """The network with its weights, in evaluation mode."""
    content = Path(path).read_bytes()  # safetensors: a length, a JSON header, raw numbers
    start = 8 + int.from_bytes(content[:8], "little")
    header = json.loads(content[8:start])
    header.pop("__metadata__", None)
    weights = {}
    for name, entry in header.items():
        first, last = (start + offset for offset in entry["data_offsets"])
        numbers = torch.frombuffer(bytearray(content[first:last]), dtype=torch.float32)
        weights[name] = numbers.reshape(entry["shape"])
    network = Network()
    network.load_state_dict(weights)
    return network.eval()
'''


def network_text(graph: Graph, labels: Sequence[str], about: str) -> str:
    """The file's text.

    Args:
        graph: The lowered network.
        labels: Its classes' names.
        about: What the network is and where it comes from, some lines.
    """
    found = parts(graph)
    made, classes = _expressions(found)
    network = _network(graph, found, made)
    kinds = dict.fromkeys(type(node.op) for node in graph.nodes)
    body = "".join([*classes, network])
    helpers = [HELPERS[kind] for kind in kinds if kind in HELPERS]
    helpers += [text for word, text in ((" chain(", _CHAIN), (" group(", _GROUP)) if word in body]
    ordered = "from collections import OrderedDict\n" if _CHAIN in helpers else ""
    constants = ['WEIGHTS = Path(__file__).with_name("weights.safetensors")']
    constants += strings("LABELS = ", labels)
    return "\n\n".join(
        [
            f'"""{_docstring(about)}\n"""\n\n{_IMPORTS.format(ordered=ordered)}'
            + "\n".join(constants)
            + "\n",
            *helpers,
            *classes,
            network,
            _LOAD,
        ]
    )


def _docstring(text: str) -> str:
    plain = text.replace("\\", "\\\\").replace('"""', '\\"""').strip()
    return "\n".join(line.rstrip() for line in plain.splitlines())


def _expressions(found: Sequence[Part]) -> tuple[dict[str, Expression], list[str]]:
    """What makes each part, by its name, and the classes that this needs."""
    alike: dict[object, list[Part]] = {}
    for part in found:
        alike.setdefault(part.shape_key, []).append(part)
    made: dict[str, Expression] = {}
    wanted: dict[str, list[list[Part]]] = {}
    for same in alike.values():
        part = same[0]
        if len(same) == 1 and is_chain(part, range(len(part.nodes))):
            made[part.name] = chain_of(part)
        else:
            word = re.sub(r"\d+$", "", part.name.split(".")[-1]).title()
            wanted.setdefault(word, []).append(same)
    texts = []
    for word, structures in wanted.items():
        for number, same in enumerate(structures, start=1):
            name = word if len(structures) == 1 else f"{word}{number}"
            text, calls = class_text(name, same)
            texts.append(text)
            made |= {part.name: one for part, one in zip(same, calls, strict=True)}
    return made, texts


def _network(graph: Graph, found: Sequence[Part], made: dict[str, Expression]) -> str:
    size = ", ".join(map(str, graph.input_shape))
    init: list[str] = []
    steps: list[tuple[str, list[Part]]] = []
    for stage, held in groupby(found, lambda part: part.name.partition(".")[0]):
        inside = list(held)
        if inside[0].name == stage:
            init += lines(f"self.{stage} = ", made[stage], depth=2)
            steps.append((f"self.{stage}", inside))
            continue
        runs_on = _runs_on(inside, found)
        blocks = {part.name.partition(".")[2]: made[part.name] for part in inside}
        init += lines(f"self.{stage} = ", call("chain" if runs_on else "group", **blocks), depth=2)
        if runs_on:
            steps.append((f"self.{stage}", inside))
        else:
            steps += [
                (f'self.{stage}["{name}"]', [part])
                for name, part in zip(blocks, inside, strict=True)
            ]
    body = [
        "class Network(nn.Module):",
        f'    """Normalised images (N, {size}) to logits (N, {graph.classes})."""',
        "",
        "    def __init__(self) -> None:",
        "        super().__init__()",
        *init,
        "",
        "    def forward(self, images: Tensor) -> Tensor:",
        *(f"        {line}" for line in _forward(graph, steps)),
    ]
    return "\n".join(body) + "\n"


def _runs_on(inside: Sequence[Part], found: Sequence[Part]) -> bool:
    """Whether each of some parts takes the one before alone, and nobody else does."""
    if len(inside[0].inputs) != 1:
        return False
    return all(
        part.inputs == (before.at[-1],)
        and sum(before.at[-1] in other.inputs for other in found) == 1
        for before, part in pairwise(inside)
    )


def _forward(graph: Graph, steps: Sequence[tuple[str, list[Part]]]) -> Iterator[str]:
    names = {0: "images"}
    for at, (access, inside) in enumerate(steps):
        output = inside[-1].at[-1]
        text = f"{access}({', '.join(names[source] for source in inside[0].inputs)})"
        if at == len(steps) - 1:
            yield f"return {text}"
            return
        users = [later for later, (_, held) in enumerate(steps) if output in held[0].inputs]
        kept = access.removeprefix("self.") if len(inside) > 1 else inside[-1].name
        names[output] = "x" if users == [at + 1] else kept.replace(".", "_")
        shape = " × ".join(map(str, graph.nodes[output].shape))
        yield f"{names[output]} = {text}  # {shape}"
