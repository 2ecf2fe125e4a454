"""The ONNX file of a network, written straight from its graph of primitives."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from mbnas.errors import MeasureError
from mbnas.network import Graph, Node, costs
from mbnas.network import primitives as ops

OPSET = 18
IR_VERSION = 9  # what goes with opset 18: older runtimes can read the file too
INPUT = "image"
OUTPUT = "logits"
ARCHITECTURE = "architecture"
"""The metadata entry that holds the architecture as JSON."""
MOST_BYTES = 2**31 - 2**20
"""What protobuf can hold, less some room for metadata."""

Array = NDArray[Any]
Weights = Mapping[str, Array]


def to_onnx(
    graph: Graph, weights: Weights | None = None, metadata: Mapping[str, str] | None = None
) -> bytes:
    """The network as an ONNX file: normalised images (N, 3, R, R) in, logits (N, classes) out.

    Batch norms are folded into their convolutions, dropout is left out, the batch is dynamic.

    Args:
        graph: The lowered network.
        weights: The module's state dict as arrays; without, fresh random weights, which cost the
            same time.
        metadata: Texts kept in the file.

    Raises:
        MeasureError: the file would be larger than an ONNX file can be.
    """
    size_bytes = costs(graph).size_bytes
    if size_bytes > MOST_BYTES:
        raise MeasureError(
            f"the network's ONNX file would have {size_bytes / 2**30:,.1f} GiB; at most 2 can be"
            " written, make it smaller"
        )
    writer = _Writer(graph, random_weights(graph) if weights is None else weights)
    for at, node in enumerate(graph.nodes):
        writer.write(at, node)
    model = helper.make_model(
        helper.make_graph(
            writer.nodes,
            "mbnas",
            [_value(INPUT, graph.input_shape)],
            [_value(OUTPUT, (graph.classes,))],
            initializer=writer.initializers,
        ),
        producer_name="mbnas",
        opset_imports=[helper.make_opsetid("", OPSET)],
        ir_version=IR_VERSION,
    )
    if metadata:
        helper.set_model_props(model, dict(metadata))
    content: bytes = model.SerializeToString()
    return content


def random_weights(graph: Graph, seed: int = 0) -> dict[str, Array]:
    """Weights with which values neither vanish nor overflow, by the state dict's names."""
    rng = np.random.default_rng(seed)
    weights: dict[str, Array] = {}
    for node in graph.nodes:
        match node.op:
            case ops.Conv() as op:
                fan_in = op.in_channels // op.groups * op.kernel**2
                kernel = (op.out_channels, op.in_channels // op.groups, op.kernel, op.kernel)
                weights[f"{node.name}.weight"] = _normal(rng, kernel, fan_in)
                if op.bias:
                    weights[f"{node.name}.bias"] = np.zeros(op.out_channels, np.float32)
            case ops.BatchNorm() as op:
                for part, start in (("weight", 1), ("bias", 0), ("running_mean", 0)):
                    weights[f"{node.name}.{part}"] = np.full(op.channels, start, np.float32)
                weights[f"{node.name}.running_var"] = np.ones(op.channels, np.float32)
            case ops.Linear() as op:
                matrix = (op.out_features, op.in_features)
                weights[f"{node.name}.weight"] = _normal(rng, matrix, op.in_features)
                weights[f"{node.name}.bias"] = np.zeros(op.out_features, np.float32)
            case ops.Scalar() as op:
                weights[f"{node.name}.value"] = np.array([op.value], np.float32)
    return weights


def _normal(rng: np.random.Generator, shape: tuple[int, ...], fan_in: int) -> Array:
    scale = np.float32(np.sqrt(2 / fan_in))
    return rng.standard_normal(shape, np.float32) * scale


def _value(name: str, shape: ops.Shape) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, ["N", *shape])


class _Writer:
    """Writes node after node; `names[at]` is the ONNX value that holds a node's output."""

    def __init__(self, graph: Graph, weights: Weights) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.initializers: list[onnx.TensorProto] = []
        self.names: dict[int, str] = {0: INPUT}
        self._last = len(graph.nodes) - 1
        self._weights = weights
        # A batch norm always follows its own convolution, and nothing else reads that.
        self._norms = {
            node.inputs[0]: node for node in graph.nodes if isinstance(node.op, ops.BatchNorm)
        }

    def write(self, at: int, node: Node) -> None:
        if isinstance(node.op, ops.Input):
            return
        inputs = [self.names[source] for source in node.inputs]
        if isinstance(node.op, (ops.BatchNorm, ops.Dropout)):
            self.names[at] = inputs[0]
            return
        self.names[at] = OUTPUT if at == self._last else node.name
        if isinstance(node.op, ops.Conv):
            self._conv(at, node, inputs)
        else:
            _WRITERS[type(node.op)](self, node, inputs, self.names[at])

    def emit(self, kind: str, inputs: list[str], output: str, **attributes: Any) -> str:
        self.nodes.append(helper.make_node(kind, inputs, [output], **attributes))
        return output

    def constant(self, name: str, values: Array) -> str:
        self.initializers.append(numpy_helper.from_array(np.ascontiguousarray(values), name))
        return name

    def weight(self, name: str) -> Array:
        return np.asarray(self._weights[name], dtype=np.float32)

    def _conv(self, at: int, node: Node, inputs: list[str]) -> None:
        op = node.op
        assert isinstance(op, ops.Conv)
        kernel = self.weight(f"{node.name}.weight")
        bias = self.weight(f"{node.name}.bias") if op.bias else np.zeros(len(kernel), np.float32)
        norm = self._norms.get(at)
        if norm is not None and isinstance(norm.op, ops.BatchNorm):
            part = {
                key: self.weight(f"{norm.name}.{key}").astype(np.float64)
                for key in ("weight", "bias", "running_mean", "running_var")
            }
            scale = part["weight"] / np.sqrt(part["running_var"] + norm.op.eps)
            kernel = (kernel * scale[:, None, None, None]).astype(np.float32)
            bias = ((bias - part["running_mean"]) * scale + part["bias"]).astype(np.float32)
        parameters = [
            self.constant(f"{node.name}.weight", kernel),
            self.constant(f"{node.name}.bias", bias),
        ]
        self.emit(
            "Conv",
            [*inputs, *parameters],
            self.names[at],
            kernel_shape=[op.kernel] * 2,
            strides=[op.stride] * 2,
            pads=[op.kernel // 2] * 4,
            group=op.groups,
        )


_ACTIVATIONS = {"relu": "Relu", "hardswish": "HardSwish", "sigmoid": "Sigmoid"}


def _activation(writer: _Writer, node: Node, inputs: list[str], output: str) -> None:
    assert isinstance(node.op, ops.Activation)
    kind = node.op.kind
    if kind == "silu":
        gate = writer.emit("Sigmoid", inputs, f"{output}.sigmoid")
        writer.emit("Mul", [inputs[0], gate], output)
    elif kind == "relu6":
        bounds = [
            writer.constant(f"{output}.{name}", np.array(value, np.float32))
            for name, value in (("low", 0), ("high", 6))
        ]
        writer.emit("Clip", [*inputs, *bounds], output)
    else:
        writer.emit(_ACTIVATIONS[kind], inputs, output)


def _average_pool(writer: _Writer, node: Node, inputs: list[str], output: str) -> None:
    assert isinstance(node.op, ops.AveragePool)
    size = [node.op.kernel] * 2
    writer.emit("AveragePool", inputs, output, kernel_shape=size, strides=size, ceil_mode=1)


def _linear(writer: _Writer, node: Node, inputs: list[str], output: str) -> None:
    parameters = [
        writer.constant(f"{node.name}.{part}", writer.weight(f"{node.name}.{part}"))
        for part in ("weight", "bias")
    ]
    writer.emit("Gemm", [*inputs, *parameters], output, transB=1)


def _select(writer: _Writer, node: Node, inputs: list[str], output: str) -> None:
    """One component for each image, as (N, 1, 1, 1) to weigh maps with."""
    assert isinstance(node.op, ops.Select)
    index = node.op.index
    bounds = [
        writer.constant(f"{output}.{name}", np.array([value], np.int64))
        for name, value in (("from", index), ("to", index + 1), ("axis", 1))
    ]
    one = writer.emit("Slice", [*inputs, *bounds], f"{output}.slice")
    axes = writer.constant(f"{output}.axes", np.array([2, 3], np.int64))
    writer.emit("Unsqueeze", [one, axes], output)


def _mix(writer: _Writer, node: Node, inputs: list[str], output: str) -> None:
    earlier, later, weight = inputs
    one = writer.constant(f"{node.name}.one", np.array(1, np.float32))
    rest = writer.emit("Sub", [one, weight], f"{node.name}.rest")
    left = writer.emit("Mul", [weight, earlier], f"{node.name}.earlier")
    right = writer.emit("Mul", [rest, later], f"{node.name}.later")
    writer.emit("Add", [left, right], output)


def _scalar(writer: _Writer, node: Node, inputs: list[str], output: str) -> None:  # noqa: ARG001
    writer.constant(output, writer.weight(f"{node.name}.value"))


def _plain(kind: str, **attributes: Any) -> Callable[[_Writer, Node, list[str], str], None]:
    def write(writer: _Writer, node: Node, inputs: list[str], output: str) -> None:  # noqa: ARG001
        writer.emit(kind, inputs, output, **attributes)

    return write


_WRITERS: dict[type[ops.Primitive], Callable[[_Writer, Node, list[str], str], None]] = {
    ops.Activation: _activation,
    ops.AveragePool: _average_pool,
    ops.GlobalAveragePool: _plain("GlobalAveragePool"),
    ops.Flatten: _plain("Flatten"),
    ops.Linear: _linear,
    ops.Add: _plain("Add"),
    ops.Multiply: _plain("Mul"),
    ops.Concat: _plain("Concat", axis=1),
    ops.Softmax: _plain("Softmax", axis=1),
    ops.Select: _select,
    ops.Scalar: _scalar,
    ops.Mix: _mix,
}
