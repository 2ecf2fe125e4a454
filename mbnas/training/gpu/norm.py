"""Batch norm and the activation after it as one layer (Ioffe and Szegedy, arXiv 1502.03167)."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

from mbnas.training.gpu import norm_kernels as kernels
from mbnas.training.gpu.tiles import BLOCKS, WIDTH_STEP, Tiling, processors

VALUES = 4096
"""Of a tile: enough loads under way to keep the memory busy."""
PROGRAMS_A_PROCESSOR = 2
PARTS = 128
"""Whose sums are added up at once."""
OPTIONS = {"num_warps": 8, "enable_fp_fusion": True}  # said, for Triton 3.9 warns where it is not

ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "none": lambda x: x,
    "relu": F.relu,
    "relu6": F.relu6,
    "hardswish": F.hardswish,
    "silu": F.silu,
}
"""What the kernels know, and how torch computes it."""


class NormActivation(nn.Module):
    """A batch norm and the activation that follows it.

    Args:
        norm: Whose weights and running averages these are; `fits` says of which widths.
        activation: One of `ACTIVATIONS`.
    """

    def __init__(self, norm: nn.BatchNorm2d, activation: str) -> None:
        super().__init__()
        self.norm = norm
        self.activation = activation
        blocks = math.ceil(norm.num_features / min(BLOCKS))
        self.arrived = torch.zeros(blocks, dtype=torch.int32, device=norm.weight.device)

    def forward(self, x: Tensor) -> Tensor:
        """The map (N, C, H, W), normalised and activated."""
        if not self.norm.training:
            return ACTIVATIONS[self.activation](self.norm(x))
        result: Tensor = _NormActivation.apply(x, self.norm.weight, self.norm.bias, self)
        return result


class _NormActivation(torch.autograd.Function):
    """By batch statistics, of which the running averages take note; the gradient is the paper's."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor, layer: NormActivation) -> Tensor:
        x = x.contiguous(memory_format=torch.channels_last)
        width = x.shape[1]
        rows = x.numel() // width
        programs = PROGRAMS_A_PROCESSOR * processors(x.device)
        tiling = Tiling.of(rows, width, values=VALUES, programs=programs)
        grid = (tiling.parts, tiling.blocks)
        sizes = {
            "rows": rows,
            "rows_each": tiling.rows_each,
            "eighths": width // WIDTH_STEP,
            "ROWS": tiling.tile,
            "CHANNELS": tiling.block,
            **OPTIONS,
        }
        norm = layer.norm
        mean, deviation = x.new_empty((2, width), dtype=torch.float32)
        partial = x.new_empty((tiling.parts, 2, width), dtype=torch.float32)
        kernels.statistics[grid](
            x,
            partial,
            layer.arrived,
            mean,
            deviation,
            norm.running_mean,
            norm.running_var,
            momentum=norm.momentum,
            eps=norm.eps,
            PARTS=PARTS,
            **sizes,
        )
        y = torch.empty_like(x)
        known = (mean, deviation, weight, bias)
        kernels.activated[grid](x, y, *known, ACTIVATION=layer.activation, **sizes)
        ctx.save_for_backward(x, *known)
        ctx.layer, ctx.grid, ctx.sizes, ctx.partial = layer, grid, sizes, partial.shape
        return y

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, dy: Tensor) -> tuple[Tensor, Tensor, Tensor, None]:
        x, *known = ctx.saved_tensors
        layer: NormActivation = ctx.layer
        dy = dy.contiguous(memory_format=torch.channels_last)
        changes = torch.empty_like(known[2]), torch.empty_like(known[3])
        partial = x.new_empty(ctx.partial, dtype=torch.float32)
        options = {"ACTIVATION": layer.activation, **ctx.sizes}
        kernels.gradient_sums[ctx.grid](
            x, dy, partial, layer.arrived, *known, *changes, PARTS=PARTS, **options
        )
        dx = torch.empty_like(x)
        kernels.gradient[ctx.grid](x, dy, dx, *known, *changes, **options)
        return dx, *changes, None
