"""The few operations that every network is lowered to, with their arithmetic.

Shapes are of one image: (C, H, W) for maps, (C,) for vectors.
"""

from __future__ import annotations

import abc
from dataclasses import dataclass

Shape = tuple[int, ...]


class Primitive(abc.ABC):
    """One operation: its output's shape, its parameters and its multiply-accumulates."""

    __slots__ = ()

    @abc.abstractmethod
    def output_shape(self, *inputs: Shape) -> Shape:
        """Shape of the output for inputs of the given shapes."""

    @property
    def params(self) -> int:
        """Learned values."""
        return 0

    def macs(self, output: Shape) -> int:  # noqa: ARG002
        """Multiply-accumulates for one image; convolutions and linear layers alone have any."""
        return 0


class SameShape(Primitive):
    """An operation whose output has its first input's shape."""

    __slots__ = ()

    def output_shape(self, *inputs: Shape) -> Shape:  # noqa: D102
        return inputs[0]


@dataclass(frozen=True, slots=True)
class Input(Primitive):
    """The image, normalised."""

    channels: int
    resolution: int

    def output_shape(self, *inputs: Shape) -> Shape:  # noqa: ARG002, D102
        return (self.channels, self.resolution, self.resolution)


@dataclass(frozen=True, slots=True)
class Conv(Primitive):
    """A k×k convolution, padded by k // 2."""

    in_channels: int
    out_channels: int
    kernel: int = 1
    stride: int = 1
    groups: int = 1
    bias: bool = False

    def output_shape(self, *inputs: Shape) -> Shape:  # noqa: D102
        _, height, width = inputs[0]
        return (self.out_channels, -(-height // self.stride), -(-width // self.stride))

    @property
    def weights(self) -> int:
        """Values in the kernel, the bias left out."""
        return self.out_channels * (self.in_channels // self.groups) * self.kernel**2

    @property
    def params(self) -> int:  # noqa: D102
        return self.weights + (self.out_channels if self.bias else 0)

    def macs(self, output: Shape) -> int:  # noqa: D102
        return self.weights * output[1] * output[2]


@dataclass(frozen=True, slots=True)
class BatchNorm(SameShape):
    """Batch normalisation of a map."""

    channels: int
    eps: float

    @property
    def params(self) -> int:  # noqa: D102
        return 2 * self.channels


@dataclass(frozen=True, slots=True)
class Activation(SameShape):
    """relu, relu6, hardswish, silu or sigmoid."""

    kind: str


@dataclass(frozen=True, slots=True)
class AveragePool(Primitive):
    """Average pooling, stride = kernel; windows over the edge average what is there."""

    kernel: int

    def output_shape(self, *inputs: Shape) -> Shape:  # noqa: D102
        channels, height, width = inputs[0]
        return (channels, -(-height // self.kernel), -(-width // self.kernel))


@dataclass(frozen=True, slots=True)
class GlobalAveragePool(Primitive):
    """The mean of each channel, kept as a 1×1 map."""

    def output_shape(self, *inputs: Shape) -> Shape:  # noqa: D102
        return (inputs[0][0], 1, 1)


@dataclass(frozen=True, slots=True)
class Flatten(Primitive):
    """A 1×1 map as a vector."""

    def output_shape(self, *inputs: Shape) -> Shape:  # noqa: D102
        channels, height, width = inputs[0]
        return (channels * height * width,)


@dataclass(frozen=True, slots=True)
class Linear(Primitive):
    """A linear layer with bias."""

    in_features: int
    out_features: int

    def output_shape(self, *inputs: Shape) -> Shape:  # noqa: ARG002, D102
        return (self.out_features,)

    @property
    def params(self) -> int:  # noqa: D102
        return self.in_features * self.out_features + self.out_features

    def macs(self, output: Shape) -> int:  # noqa: ARG002, D102
        return self.in_features * self.out_features


@dataclass(frozen=True, slots=True)
class Dropout(SameShape):
    """Dropout while training; nothing at inference."""

    rate: float


@dataclass(frozen=True, slots=True)
class Add(SameShape):
    """Sum of two maps."""


@dataclass(frozen=True, slots=True)
class Multiply(SameShape):
    """A map (C, H, W) times a factor for each channel (C, 1, 1)."""


@dataclass(frozen=True, slots=True)
class Concat(Primitive):
    """Maps or vectors side by side along the channels."""

    def output_shape(self, *inputs: Shape) -> Shape:  # noqa: D102
        return (sum(shape[0] for shape in inputs), *inputs[0][1:])


@dataclass(frozen=True, slots=True)
class Softmax(SameShape):
    """Softmax of a vector."""


@dataclass(frozen=True, slots=True)
class Select(Primitive):
    """One component of a vector, as (1,)."""

    index: int

    def output_shape(self, *inputs: Shape) -> Shape:  # noqa: ARG002, D102
        return (1,)


@dataclass(frozen=True, slots=True)
class Scalar(Primitive):
    """One number, the same for every image; `value` is where a learned one starts."""

    value: float
    learned: bool

    def output_shape(self, *inputs: Shape) -> Shape:  # noqa: ARG002, D102
        return (1,)

    @property
    def params(self) -> int:  # noqa: D102
        return int(self.learned)


@dataclass(frozen=True, slots=True)
class Mix(SameShape):
    """`w·a + (1−w)·b` of two maps a, b and a weight w of shape (1,)."""
