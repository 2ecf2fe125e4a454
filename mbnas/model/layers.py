"""The PyTorch layer of each primitive."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from mbnas.network import primitives as ops


class Mix(nn.Module):
    """`w·a + (1−w)·b` for maps (N, C, H, W) and a weight (N, 1) or (1,)."""

    def forward(self, a: Tensor, b: Tensor, weight: Tensor) -> Tensor:
        """The weighted sum (N, C, H, W)."""
        weight = weight.reshape(-1, 1, 1, 1)
        return weight * a + (1 - weight) * b


class Scalar(nn.Module):
    """One number, learned or fixed."""

    def __init__(self, value: float, learned: bool) -> None:
        super().__init__()
        self.start = value
        start = torch.tensor([value])
        self.value: Tensor
        if learned:
            self.value = nn.Parameter(start)
        else:
            self.register_buffer("value", start)

    def forward(self) -> Tensor:
        """The number, (1,)."""
        return self.value


class Dropout(nn.Module):
    """Dropout that may draw from a generator of its own, which a training lays down with itself."""

    def __init__(self, rate: float) -> None:
        super().__init__()
        self.rate = rate
        self.generator: torch.Generator | None = None

    def forward(self, features: Tensor) -> Tensor:
        """In training, features of which a share is 0 and the rest scaled up; else unchanged."""
        if not self.training or self.rate == 0:
            return features
        kept = torch.empty_like(features).bernoulli_(1 - self.rate, generator=self.generator)
        return features * kept / (1 - self.rate)

    def extra_repr(self) -> str:
        """The rate."""
        return f"rate={self.rate:g}"


class DropPath(Dropout):
    """Stochastic depth (Huang et al., arXiv 1603.09382), drawn as dropout is.

    Args:
        rate: Share that is dropped.
        each: Whether each image's map is dropped or kept by itself, or all of a batch together.
    """

    def __init__(self, rate: float, each: bool) -> None:
        super().__init__(rate)
        self.each = each

    def forward(self, features: Tensor) -> Tensor:
        """In training, maps (N, ...) of which a share is 0 and the rest scaled up."""
        if not self.training or self.rate == 0:
            return features
        shape = (features.shape[0] if self.each else 1, *(1,) * (features.ndim - 1))
        kept = features.new_empty(shape).bernoulli_(1 - self.rate, generator=self.generator)
        return features * kept / (1 - self.rate)


class Function(nn.Module):
    """A layer without parameters, from a function of tensors."""

    def __init__(self, name: str, function: Callable[..., Tensor]) -> None:
        super().__init__()
        self.name = name
        self.function = function

    def forward(self, *inputs: Tensor) -> Tensor:
        """The function's value."""
        return self.function(*inputs)

    def extra_repr(self) -> str:
        """The function's name."""
        return self.name


_ACTIVATIONS: dict[str, Callable[[], nn.Module]] = {
    "relu": lambda: nn.ReLU(inplace=True),
    "relu6": lambda: nn.ReLU6(inplace=True),
    "hardswish": lambda: nn.Hardswish(inplace=True),
    "silu": lambda: nn.SiLU(inplace=True),
    "sigmoid": nn.Sigmoid,
}


# Functions with a name, so that a network can be pickled.
def _concat(*inputs: Tensor) -> Tensor:
    return torch.cat(inputs, dim=1)


def _select(vector: Tensor, index: int) -> Tensor:
    return vector[:, index : index + 1]


def _conv(op: ops.Conv) -> nn.Module:
    return nn.Conv2d(
        op.in_channels,
        op.out_channels,
        op.kernel,
        op.stride,
        padding=op.kernel // 2,
        groups=op.groups,
        bias=op.bias,
    )


_LAYERS: dict[type[ops.Primitive], Callable[[Any], nn.Module]] = {
    ops.Conv: _conv,
    ops.BatchNorm: lambda op: nn.BatchNorm2d(op.channels, eps=op.eps),
    ops.Activation: lambda op: _ACTIVATIONS[op.kind](),
    ops.AveragePool: lambda op: nn.AvgPool2d(op.kernel, ceil_mode=True),
    ops.GlobalAveragePool: lambda _: nn.AdaptiveAvgPool2d(1),
    ops.Flatten: lambda _: nn.Flatten(),
    ops.Linear: lambda op: nn.Linear(op.in_features, op.out_features),
    ops.Dropout: lambda op: Dropout(op.rate),
    ops.Add: lambda _: Function("add", torch.add),
    ops.Multiply: lambda _: Function("multiply", torch.mul),
    ops.Concat: lambda _: Function("concat", _concat),
    ops.Softmax: lambda _: Function("softmax", partial(F.softmax, dim=1)),
    ops.Select: lambda op: Function(f"select {op.index}", partial(_select, index=op.index)),
    ops.Scalar: lambda op: Scalar(op.value, op.learned),
    ops.Mix: lambda _: Mix(),
}


def layer(op: ops.Primitive) -> nn.Module:
    """The layer that computes one primitive."""
    return _LAYERS[type(op)](op)
