"""Depthwise convolutions by kernels of our own.

cuDNN prepares itself for every shape of one that it has not met, forwards, twice backwards and once
more for evaluation: on an H100 half a second for a layer, which is most of what a brief training
takes beside its steps.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from mbnas.training.gpu import depthwise_kernels as kernels
from mbnas.training.gpu.tiles import WIDTH_STEP, Tiling, processors

PROGRAMS_A_PROCESSOR = 8
LARGEST_KERNEL = 9
"""Beyond it a program runs out of registers."""
OPTIONS = {"num_warps": 4, "enable_fp_fusion": True}  # said, for Triton 3.9 warns where it is not


class Depthwise(nn.Module):
    """A depthwise convolution.

    Args:
        convolution: Whose weights these are: k×k, k odd and at most `LARGEST_KERNEL`, padded by
            k // 2, with neither bias nor dilation; `fits` says of which widths.
    """

    def __init__(self, convolution: nn.Conv2d) -> None:
        super().__init__()
        self.convolution = convolution

    def forward(self, x: Tensor) -> Tensor:
        """The map (N, C, H/stride, W/stride)."""
        kind = x.device.type
        if torch.is_autocast_enabled(kind):
            x = x.to(torch.get_autocast_dtype(kind))
        result: Tensor = _Depthwise.apply(x, self.convolution.weight, self.convolution.stride[0])
        return result


class _Depthwise(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, stride: int) -> Tensor:
        x = x.contiguous(memory_format=torch.channels_last)
        count, width, height, across = x.shape
        taps = weight.view(width, -1).t().contiguous()  # as a program reads them
        y = torch.empty(
            (count, width, math.ceil(height / stride), math.ceil(across / stride)),
            dtype=x.dtype,
            device=x.device,
            memory_format=torch.channels_last,
        )
        _convolve(x, y, taps, stride, backward=False)
        ctx.save_for_backward(x, taps)
        ctx.stride, ctx.weight = stride, weight.shape
        return y

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, dy: Tensor) -> tuple[Tensor, Tensor, None]:
        x, taps = ctx.saved_tensors
        dy = dy.contiguous(memory_format=torch.channels_last)
        dx = torch.empty_like(x)
        _convolve(dy, dx, taps, ctx.stride, backward=True)
        return dx, _weight_gradient(x, dy, taps, ctx.stride).t().reshape(ctx.weight), None


def _convolve(source: Tensor, target: Tensor, taps: Tensor, stride: int, *, backward: bool) -> None:
    kernel = math.isqrt(len(taps))
    pixels = target.numel() // target.shape[1]
    tiling = Tiling.of(pixels, target.shape[1], values=_values(kernel))
    kernels.convolved[tiling.parts, tiling.blocks](
        source,
        target,
        taps,
        pixels,
        *target.shape[2:],
        *source.shape[2:],
        target.shape[1] // WIDTH_STEP,
        KERNEL=kernel,
        STRIDE=stride,
        BACKWARD=backward,
        PIXELS=tiling.tile,
        CHANNELS=tiling.block,
        **OPTIONS,
    )


def _weight_gradient(x: Tensor, dy: Tensor, taps: Tensor, stride: int) -> Tensor:
    """(taps, channels)."""
    kernel = math.isqrt(len(taps))
    width = x.shape[1]
    pixels = dy.numel() // width
    programs = PROGRAMS_A_PROCESSOR * processors(x.device) // kernel
    tiling = Tiling.of(pixels, width, values=_values(kernel), programs=programs)
    partial = x.new_empty((tiling.parts, *taps.shape), dtype=torch.float32)
    kernels.weight_gradient[tiling.parts, tiling.blocks, kernel](
        x,
        dy,
        partial,
        pixels,
        tiling.rows_each,
        *dy.shape[2:],
        *x.shape[2:],
        width // WIDTH_STEP,
        KERNEL=kernel,
        STRIDE=stride,
        PIXELS=tiling.tile,
        CHANNELS=tiling.block,
        **OPTIONS,
    )
    return partial.sum(0)


def _values(kernel: int) -> int:
    """Of a tile, by measurement: a larger kernel has more of its own to be read at once."""
    return 1024 if kernel == 3 else 2048
