"""Average pooling with a quick gradient."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class AveragePool(nn.Module):
    """Average pooling, stride = kernel; windows over the edge average what is there."""

    def __init__(self, kernel: int) -> None:
        super().__init__()
        self.kernel = kernel

    def forward(self, x: Tensor) -> Tensor:
        """The map (N, C, ⌈H/kernel⌉, ⌈W/kernel⌉)."""
        if x.shape[2] % self.kernel or x.shape[3] % self.kernel:
            return F.avg_pool2d(x, self.kernel, ceil_mode=True)
        result: Tensor = _AveragePool.apply(x, self.kernel)
        return result


class _AveragePool(torch.autograd.Function):
    """Where all windows are whole each value has its share of one gradient.

    torch's own looks for the windows of each value; on an H100 that took five times as long.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, kernel: int) -> Tensor:
        ctx.kernel = kernel
        return F.avg_pool2d(x, kernel)

    @staticmethod
    def backward(ctx: Any, dy: Tensor) -> tuple[Tensor, None]:
        k = ctx.kernel
        count, channels, height, width = dy.shape
        share = (dy / k**2).permute(0, 2, 3, 1)[:, :, None, :, None]
        whole = share.expand(count, height, k, width, k, channels)
        return whole.reshape(count, height * k, width * k, channels).permute(0, 3, 1, 2), None
