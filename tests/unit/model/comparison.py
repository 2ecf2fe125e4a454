"""Whether a network computes what a module that somebody else wrote computes."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from mbnas.model import Network
from mbnas.network import Graph, Node
from mbnas.network.primitives import Add

TOLERANCE = 1e-5


class StateMismatchError(Exception):
    """The two modules hold different tensors."""


def settle(module: nn.Module, images: Tensor, passes: int = 2) -> None:
    """Draws batch norms at random and lets their statistics settle on some images."""
    norms = [layer for layer in module.modules() if isinstance(layer, nn.BatchNorm2d)]
    for norm in norms:
        nn.init.uniform_(norm.weight, 0.5, 2.5)  # large enough that relu6 cuts
        nn.init.normal_(norm.bias, std=0.3)
        norm.momentum = None  # the mean over all passes
        norm.reset_running_stats()
    module.train()
    with torch.no_grad():
        for _ in range(passes):
            module(images)
    module.eval()


def copy_state(source: nn.Module, target: nn.Module) -> None:
    """Gives one module all parameters and statistics of another, by order.

    Raises:
        StateMismatchError: their number or their shapes differ.
    """
    theirs, ours = source.state_dict(), target.state_dict()
    if [value.shape for value in theirs.values()] != [value.shape for value in ours.values()]:
        raise StateMismatchError(f"{len(theirs)} against {len(ours)} tensors, or other shapes")
    target.load_state_dict(dict(zip(ours, theirs.values(), strict=True)), assign=True)


def difference(source: nn.Module, graph: Graph, images: Tensor) -> float:
    """The largest difference of the outputs, as a share of the largest output.

    Raises:
        StateMismatchError: the two hold different tensors.
    """
    with torch.device("meta"):  # its own weights are never looked at
        network = Network(graph)
    copy_state(source, network)
    source.eval()
    network.eval()
    with torch.no_grad():
        theirs, ours = source(images), network(images)
    assert theirs.shape == ours.shape
    largest = theirs.abs().max().item()
    assert largest > 0.1, "outputs this small would hide a difference"
    return (theirs - ours).abs().max().item() / largest


def residuals(graph: Graph) -> list[int]:
    return [at for at, node in enumerate(graph.nodes) if isinstance(node.op, Add)]


def without(graph: Graph, removed: int) -> Graph:
    """The graph without one node; its first input takes its place."""
    places = {}
    nodes: list[Node] = []
    for at, node in enumerate(graph.nodes):
        if at == removed:
            places[at] = places[node.inputs[0]]
            continue
        places[at] = len(nodes)
        nodes.append(node._replace(inputs=tuple(places[source] for source in node.inputs)))
    return Graph(tuple(nodes))
