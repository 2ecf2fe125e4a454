"""In which form a device computes a network quickest, with the same weights."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from mbnas.model import Network
from mbnas.network import primitives as ops
from mbnas.training.gpu.form import gpu_form
from mbnas.training.recipe import Precision


def quickest_form(
    network: nn.Module, device: torch.device, precision: Precision
) -> Callable[[Tensor], Tensor]:
    """What computes a network's logits (N, classes) of images (N, C, H, W).

    Args:
        network: On the device; only one of our own has another form.
        device: That trains.
        precision: In which it trains.
    """
    if not isinstance(network, Network):
        return network
    if device.type == "cuda":
        return gpu_form(network, device)
    return _cpu_form(network) if precision == "bfloat16" else network


def _cpu_form(network: Network) -> Network:
    """A network for training in bfloat16 on a CPU.

    There oneDNN has no quick gradient of strided depthwise convolutions: a few of them take longer
    than what bfloat16 wins everywhere else.
    """
    strided = {
        at: InFloat32(network.layer(at))
        for at, node in enumerate(network.graph.nodes)
        if isinstance(node.op, ops.Conv) and node.op.stride > 1 and node.op.groups > 1
    }
    return network.with_layers(strided)


class InFloat32(nn.Module):
    """A layer that computes in float32, whatever is usual around it.

    Args:
        layer: That computes.
    """

    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, x: Tensor) -> Tensor:
        """What the layer makes of a map, in the map's own type."""
        with torch.autocast(x.device.type, enabled=False):
            result: Tensor = self.layer(x.float())
        return result.to(x.dtype)
