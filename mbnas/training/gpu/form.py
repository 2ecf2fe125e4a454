"""A network computed by fewer and larger kernels of a GPU, with the same weights.

A small network's step is hundreds of short kernels, most of them moving maps through memory. Batch
norm and activation become one layer; depthwise convolutions need no preparation; kernels, matrices
and their biases are cast to autocast's type all at once, and their gradients back.
"""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable
from subprocess import SubprocessError
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call

from mbnas.model import Network
from mbnas.network import primitives as ops
from mbnas.training.device import lacks_memory
from mbnas.training.gpu.pool import AveragePool
from mbnas.training.gpu.tiles import fits


def gpu_form(network: Network, device: torch.device) -> Callable[[Tensor], Tensor]:
    """What computes a network's logits on a GPU: a `GpuForm`, where Triton works."""
    return network if warn_of_torchs_layers(device) else GpuForm(network)


def warn_of_torchs_layers(device: torch.device) -> bool:
    """Warns where networks are to be computed by torch's own layers, and whether it is so.

    Raises:
        RuntimeError: the GPU's memory is full, which says nothing of them.
    """
    reason = why_not(device)
    if reason is not None:
        warnings.warn(
            f"{device}: Triton does not work ({reason}); trainings take longer, by torch's own"
            " layers",
            stacklevel=2,
        )
    return reason is not None


@functools.cache
def why_not(device: torch.device) -> str | None:
    """Why layers of our own do not work on a GPU; None where they do.

    Raises:
        RuntimeError: the GPU's memory is full, which says nothing of them.
    """
    try:
        from triton import TritonError
    except ImportError as error:
        return _said(error)
    try:
        with torch.enable_grad(), torch.cuda.device(device):
            _try(device)
    # A C compiler or a folder that is not there, a GPU that is too old, the driver; what is wrong
    # with the layers themselves is not caught.
    except (TritonError, OSError, RuntimeError, SubprocessError) as error:
        if lacks_memory(error):
            raise
        return _said(error)
    return None


def _said(error: Exception) -> str:
    first, *_ = str(error).strip().splitlines() or [""]
    return f"{type(error).__name__}: {first}"


def _try(device: torch.device) -> None:
    """One small map through each layer, forwards and backwards."""
    from mbnas.training.gpu.depthwise import Depthwise
    from mbnas.training.gpu.norm import NormActivation

    norm = NormActivation(nn.BatchNorm2d(8).to(device), "relu6")
    depthwise = Depthwise(nn.Conv2d(8, 8, 3, padding=1, groups=8, bias=False).to(device))
    maps = torch.ones(1, 8, 2, 2, device=device, requires_grad=True)
    float(torch.autograd.grad(depthwise(norm(maps)).sum(), maps)[0].sum())


class GpuForm:
    """Logits of a network, in training and evaluation.

    Args:
        network: On a GPU, in channels-last memory.
    """

    def __init__(self, network: Network) -> None:
        layers = _layers(network)
        self._network = network.with_layers(layers)
        own = {id(p) for layer in layers.values() for p in layer.parameters()}
        self._cast = {
            f"{name}.{kind}": value
            for name, module in network.named_modules()
            if isinstance(module, (nn.Conv2d, nn.Linear))
            for kind, value in module.named_parameters()
            if id(value) not in own
        }

    def __call__(self, images: Tensor) -> Tensor:
        """Logits (N, classes) of normalised images (N, C, H, W)."""
        kind = images.device.type
        if not torch.is_autocast_enabled(kind):
            return self._network(images)  # type: ignore[no-any-return]
        cast = _Cast.apply(torch.get_autocast_dtype(kind), *self._cast.values())
        values = dict(zip(self._cast, cast, strict=True))
        logits: Tensor = functional_call(self._network, values, (images,))
        return logits


def _layers(network: Network) -> dict[int, nn.Module]:
    """The layers that others compute, by the number of their node."""
    # Only where there is a GPU: they import Triton.
    from mbnas.training.gpu.depthwise import LARGEST_KERNEL, Depthwise
    from mbnas.training.gpu.norm import NormActivation

    found: dict[int, nn.Module] = {}
    for at in range(1, len(network.graph.nodes)):
        layer: Any = network.layer(at)
        match network.graph.nodes[at].op:
            case ops.BatchNorm(channels=channels) if fits(channels):
                activation = _activation_after(network, at)
                found[at] = NormActivation(layer, activation or "none")
                if activation:
                    found[at + 1] = nn.Identity()
            case ops.Conv(in_channels=channels, bias=False) as op if (
                op.groups == channels == op.out_channels
                and op.kernel <= LARGEST_KERNEL
                and fits(channels)
            ):
                found[at] = Depthwise(layer)
            case ops.AveragePool(kernel=kernel):
                found[at] = AveragePool(kernel)
    return found


def _activation_after(network: Network, at: int) -> str | None:
    """The activation that alone takes what a node gives."""
    from mbnas.training.gpu.norm import ACTIVATIONS

    if network.graph.last_uses().get(at) != at + 1:
        return None
    node = network.graph.nodes[at + 1]
    match node.op:
        case ops.Activation(kind=kind) if kind in ACTIVATIONS and node.inputs == (at,):
            return kind
    return None


class _Cast(torch.autograd.Function):
    """Tensors in another type, by one kernel for many; their gradients back likewise."""

    @staticmethod
    def forward(ctx: Any, kind: torch.dtype, *values: Tensor) -> tuple[Tensor, ...]:
        ctx.values = values
        cast = [torch.empty_like(value, dtype=kind) for value in values]
        torch._foreach_copy_(cast, values)
        return tuple(cast)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        own = [torch.empty_like(value) for value in ctx.values]
        torch._foreach_copy_(own, gradients)
        return None, *own
