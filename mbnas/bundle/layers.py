"""How each primitive is written in PyTorch: all that the text of a network knows of its parts.

Layers become modules of the network's own, functions stand in its `forward`. Where a helper is
needed, the text has it too.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from mbnas.bundle.layout import Call, call, flat
from mbnas.network import primitives as ops

Fields = Mapping[str, Any]
"""A layer's fields; whole numbers may be a parameter's name instead."""

_ACTIVATIONS = {
    "relu": "nn.ReLU",
    "relu6": "nn.ReLU6",
    "hardswish": "nn.Hardswish",
    "silu": "nn.SiLU",
    "sigmoid": "nn.Sigmoid",
}


def _conv(field: Fields) -> Call:
    kernel = field["kernel"]
    named: dict[str, str] = {}
    if field["stride"] != 1:
        named["stride"] = f"{field['stride']}"
    if kernel != 1:
        named["padding"] = f"{kernel // 2}" if isinstance(kernel, int) else f"{kernel} // 2"
    if field["groups"] != 1:
        named["groups"] = f"{field['groups']}"
    if not field["bias"]:
        named["bias"] = "False"
    widths = (f"{field['in_channels']}", f"{field['out_channels']}")
    return call("nn.Conv2d", *widths, f"{kernel}", **named)


def _batch_norm(field: Fields) -> Call:
    eps = {} if field["eps"] == 1e-5 else {"eps": repr(field["eps"])}
    return call("nn.BatchNorm2d", f"{field['channels']}", **eps)


def _scalar(field: Fields) -> Call:
    learned = {} if field["learned"] else {"learned": "False"}
    return call("Scalar", repr(field["value"]), **learned)


LAYERS: dict[type[ops.Primitive], Callable[[Fields], Call]] = {
    ops.Conv: _conv,
    ops.BatchNorm: _batch_norm,
    ops.Activation: lambda field: call(_ACTIVATIONS[field["kind"]]),
    ops.AveragePool: lambda field: call("nn.AvgPool2d", f"{field['kernel']}", ceil_mode="True"),
    ops.GlobalAveragePool: lambda _: call("nn.AdaptiveAvgPool2d", "1"),
    ops.Flatten: lambda _: call("nn.Flatten"),
    ops.Linear: lambda field: call(
        "nn.Linear", f"{field['in_features']}", f"{field['out_features']}"
    ),
    ops.Dropout: lambda field: call("nn.Dropout", repr(field["rate"])),
    ops.Scalar: _scalar,
}

FUNCTIONS: dict[type[ops.Primitive], Callable[..., str]] = {
    ops.Add: lambda _, a, b: f"{a} + {b}",
    ops.Multiply: lambda _, a, b: f"{a} * {b}",
    ops.Concat: lambda _, *maps: f"torch.cat([{', '.join(maps)}], dim=1)",
    ops.Softmax: lambda _, vector: f"{vector}.softmax(dim=1)",
    ops.Select: lambda op, vector: f"{vector}[:, {op.index}]",
    ops.Mix: lambda _, a, b, weight: flat(call("mix", a, b, weight)),
}

HELPERS: dict[type[ops.Primitive], str] = {
    ops.Scalar: '''\
class Scalar(nn.Module):
    """One number, the same for every image."""

    def __init__(self, value: float, learned: bool = True) -> None:
        super().__init__()
        self.value = nn.Parameter(torch.tensor([value]), requires_grad=learned)

    def forward(self) -> Tensor:
        return self.value
''',
    ops.Mix: '''\
def mix(a: Tensor, b: Tensor, weight: Tensor) -> Tensor:
    """The weighted sum of two maps, by one weight for all images or one for each."""
    weight = weight.reshape(-1, 1, 1, 1)
    return weight * a + (1 - weight) * b
''',
}
