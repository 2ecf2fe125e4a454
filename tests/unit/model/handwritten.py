"""The blocks and fusions written once more, straight from the design's words.

Widths are plain numbers here, worked out by whoever writes a test; no ratio is known.
Modules are declared in the order in which they are computed, so that state is copied by order.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

ACTIVATIONS: dict[str, type[nn.Module]] = {
    "relu": nn.ReLU,
    "relu6": nn.ReLU6,
    "hardswish": nn.Hardswish,
    "silu": nn.SiLU,
}
BN_EPS = 1e-5


def conv(
    inputs: int,
    outputs: int,
    *,
    kernel: int = 1,
    stride: int = 1,
    groups: int = 1,
    activation: str | None = None,
) -> nn.Sequential:
    """Convolution → batch norm → activation; a linear convolution without one."""
    padding = (kernel - 1) // 2
    layers: list[nn.Module] = [
        nn.Conv2d(inputs, outputs, kernel, stride, padding, groups=groups, bias=False),
        nn.BatchNorm2d(outputs, eps=BN_EPS),
    ]
    if activation is not None:
        layers.append(ACTIVATIONS[activation]())
    return nn.Sequential(*layers)


class SqueezeExcitation(nn.Module):
    def __init__(self, channels: int, squeezed: int, activation: str) -> None:
        super().__init__()
        self.reduce = nn.Conv2d(channels, squeezed, 1)
        self.restore = nn.Conv2d(squeezed, channels, 1)
        self.activation = ACTIVATIONS[activation]()

    def forward(self, maps: Tensor) -> Tensor:
        pooled = maps.mean(dim=(2, 3), keepdim=True)
        return maps * torch.sigmoid(self.restore(self.activation(self.reduce(pooled))))


def squeeze(channels: int, squeezed: int, activation: str) -> nn.Module:
    return SqueezeExcitation(channels, squeezed, activation) if squeezed else nn.Identity()


class Residual(nn.Module):
    def __init__(self, *layers: nn.Module) -> None:
        super().__init__()
        self.layers = nn.Sequential(*layers)

    def forward(self, maps: Tensor) -> Tensor:
        return maps + self.layers(maps)


def mbconv(
    inputs: int,
    hidden: int | None,
    outputs: int,
    *,
    activation: str,
    kernel: int = 3,
    stride: int = 1,
    squeezed: int = 0,
) -> nn.Module:
    """`hidden=None` is an expansion of 1: no expanding convolution."""
    inside = inputs if hidden is None else hidden
    layers: list[nn.Module] = []
    if hidden is not None:
        layers.append(conv(inputs, hidden, activation=activation))
    layers += [
        conv(inside, inside, kernel=kernel, stride=stride, groups=inside, activation=activation),
        squeeze(inside, squeezed, activation),
        conv(inside, outputs),
    ]
    return Residual(*layers) if stride == 1 and inputs == outputs else nn.Sequential(*layers)


def fused_mbconv(
    inputs: int,
    hidden: int | None,
    outputs: int,
    *,
    activation: str,
    kernel: int = 3,
    stride: int = 1,
    squeezed: int = 0,
) -> nn.Module:
    """`hidden=None` is an expansion of 1: one activated convolution."""
    inside = outputs if hidden is None else hidden
    layers: list[nn.Module] = [
        conv(inputs, inside, kernel=kernel, stride=stride, activation=activation),
        squeeze(inside, squeezed, activation),
    ]
    if hidden is not None:
        layers.append(conv(hidden, outputs))
    return Residual(*layers) if stride == 1 and inputs == outputs else nn.Sequential(*layers)


def depthwise_separable(
    inputs: int,
    outputs: int,
    *,
    activation: str,
    kernel: int = 3,
    stride: int = 1,
    squeezed: int = 0,
) -> nn.Module:
    return nn.Sequential(
        conv(inputs, inputs, kernel=kernel, stride=stride, groups=inputs, activation=activation),
        squeeze(inputs, squeezed, activation),
        conv(inputs, outputs, activation=activation),
    )


def pooled_by(maps: Tensor, factor: int) -> Tensor:
    """The mean of each window of `factor`; windows over the edge hold what is there."""
    rows = [
        torch.stack([cell.mean(dim=(2, 3)) for cell in row.split(factor, dim=3)], dim=-1)
        for row in maps.split(factor, dim=2)
    ]
    return torch.stack(rows, dim=2)


class Fusion(nn.Module):
    """Brings the earlier map to the output's map; kinds of fusion say what then happens."""

    def __init__(self, factor: int, match: nn.Module | None = None) -> None:
        super().__init__()
        self.factor = factor
        self.match = match or nn.Identity()

    def brought(self, earlier: Tensor) -> Tensor:
        return self.match(pooled_by(earlier, self.factor))


class Concat(Fusion):
    def __init__(self, factor: int, project: nn.Module | None) -> None:
        super().__init__(factor)
        self.project = project or nn.Identity()

    def forward(self, earlier: Tensor, output: Tensor) -> Tensor:
        return self.project(torch.cat([self.brought(earlier), output], dim=1))


class Weight(nn.Module):
    """The weight of the earlier map: fixed, or the sigmoid of a scalar as if it had learned."""

    def __init__(self, alpha: float | None) -> None:
        super().__init__()
        self.learned = alpha is None
        if alpha is None:
            self.value = nn.Parameter(torch.tensor([0.7]))
        else:
            self.register_buffer("value", torch.tensor([alpha]))

    def forward(self) -> Tensor:
        return torch.sigmoid(self.value) if self.learned else self.value


class WeightedSum(Fusion):
    def __init__(
        self, factor: int, match: nn.Module | None = None, *, alpha: float | None = None
    ) -> None:
        super().__init__(factor, match)
        self.weight = Weight(alpha)

    def forward(self, earlier: Tensor, output: Tensor) -> Tensor:
        weight = self.weight()
        return weight * self.brought(earlier) + (1 - weight) * output


class Attention(Fusion):
    def __init__(self, factor: int, width: int, match: nn.Module | None = None) -> None:
        super().__init__(factor, match)
        self.linear = nn.Linear(2 * width, 2)

    def forward(self, earlier: Tensor, output: Tensor) -> Tensor:
        earlier = self.brought(earlier)
        means = torch.cat([earlier.mean(dim=(2, 3)), output.mean(dim=(2, 3))], dim=1)
        weights = torch.softmax(self.linear(means), dim=1)
        return torch.stack(
            [
                weights[image, 0] * earlier[image] + weights[image, 1] * output[image]
                for image in range(len(weights))
            ]
        )


class Handwritten(nn.Module):
    """A whole network: stages of blocks, each with its fusion and how far back that looks."""

    def __init__(
        self,
        stem: nn.Module,
        stages: Sequence[tuple[nn.Module, Fusion | None, int]],
        head: nn.Module,
    ) -> None:
        super().__init__()
        self.stem = stem
        self.stages = nn.ModuleList(
            nn.ModuleList([blocks, *([fusion] if fusion else [])]) for blocks, fusion, _ in stages
        )
        self.look_back = [back for _, _, back in stages]
        self.head = head

    def forward(self, images: Tensor) -> Tensor:
        maps = [self.stem(images)]
        for stage, back in zip(self.stages, self.look_back, strict=True):
            blocks, *fusions = stage
            output = blocks(maps[-1])
            for fusion in fusions:
                output = fusion(maps[-back], output)
            maps.append(output)
        return self.head(maps[-1])


class Pool(nn.Module):
    def forward(self, maps: Tensor) -> Tensor:
        return maps.mean(dim=(2, 3))
