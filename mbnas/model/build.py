"""From an architecture to a plain PyTorch module."""

from __future__ import annotations

import copy
import threading
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from mbnas.model.foreign import AnyNetwork
from mbnas.model.layers import Dropout, DropPath, Scalar, layer
from mbnas.network import Architecture, Graph


class Network(nn.Module):
    """A lowered graph as a module; its state dict has the graph's names.

    Takes normalised images (N, C, H, W) and gives logits (N, classes).
    """

    def __init__(self, graph: Graph) -> None:
        super().__init__()
        self.graph = graph
        last_uses = graph.last_uses()
        self._steps: list[tuple[nn.Module, tuple[int, ...], tuple[int, ...]]] = []
        for at, node in enumerate(graph.nodes[1:], start=1):
            module = layer(node.op)
            _attach(self, node.name.split("."), module)
            done = tuple(source for source in set(node.inputs) if last_uses[source] == at)
            self._steps.append((module, node.inputs, done))
        self.reset_parameters()

    def forward(self, images: Tensor) -> Tensor:
        """Logits (N, classes) of normalised images (N, C, H, W)."""
        values: dict[int, Tensor] = {0: images}
        for at, (module, inputs, done) in enumerate(self._steps, start=1):
            values[at] = module(*[values[source] for source in inputs])
            for source in done:  # maps that nobody needs any more free their memory
                del values[source]
        return values[len(self._steps)]

    def layer(self, at: int) -> nn.Module:
        """What computes a node of the graph."""
        return self._steps[at - 1][0]

    def with_layers(self, layers: Mapping[int, nn.Module]) -> Network:
        """The same network, with the same weights, some of its nodes computed by other layers.

        Args:
            layers: By the number of their node.
        """
        other = copy.copy(self)
        other._steps = [
            (layers.get(at, layer), inputs, done)
            for at, (layer, inputs, done) in enumerate(self._steps, start=1)
        ]
        return other

    def reset_parameters(self) -> None:
        """Draws fresh weights from torch's generator.

        Convolutions by fan-out (He et al., arXiv 1502.01852), the last layer small and normal as
        in MobileNetV2; batch norms as identity.
        """
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
            elif isinstance(module, nn.BatchNorm2d):
                module.reset_parameters()
            elif isinstance(module, nn.Linear):
                nn.init.normal_(module.weight, std=0.01)
            elif isinstance(module, Scalar):
                nn.init.constant_(module.value, module.start)
            if isinstance(module, (nn.Conv2d, nn.Linear)) and module.bias is not None:
                nn.init.zeros_(module.bias)


def build(architecture: Architecture, classes: int, channels: int = 3) -> Network:
    """The module of an architecture, with fresh weights.

    Args:
        architecture: The network.
        classes: Number of logits.
        channels: Channels of the image.
    """
    return Network(architecture.lower(classes, channels))


def build_seeded(network: AnyNetwork, classes: int, seed: int) -> nn.Module:
    """The module of a network, with weights that depend on the seed alone.

    Layers draw from torch's own generator, which all threads share and callers may use: one at a
    time draws from it, and it is left as it was.
    """
    with _DRAWING, torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        if isinstance(network, Architecture):
            return build(network, classes)
        return _drawing_apart(network.make(classes))


def _drawing_apart(network: nn.Module) -> nn.Module:
    """A foreign network whose random layers are seeded and laid down as those of our own."""
    for module in list(network.modules()):
        for name, child in module.named_children():
            if type(child) is nn.Dropout:
                setattr(module, name, Dropout(child.p))
            elif type(child).__name__ == "StochasticDepth":  # torchvision's, which need not be here
                layer: Any = child
                setattr(module, name, DropPath(layer.p, each=layer.mode == "row"))
    return network


_DRAWING = threading.Lock()


def _attach(root: nn.Module, path: Sequence[str], module: nn.Module) -> None:
    """Registers a module under a dotted path, making the modules between as needed."""
    for part in path[:-1]:
        child = root._modules.get(part)
        if child is None:
            child = nn.Module()
            root.add_module(part, child)
        root = child
    root.add_module(path[-1], module)
