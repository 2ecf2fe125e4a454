"""Quantising: what a file in 8 bits keeps, and what is said when it cannot be made."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from numpy.typing import NDArray

from mbnas.errors import MeasureError
from mbnas.measure import quantise
from mbnas.measure.onnx_file import INPUT, to_onnx
from mbnas.measure.quantise import quantised
from mbnas.network import Architecture, Fusion, Stage

SIZE = 16


def network(activation: str = "relu", se_ratio: float = 0.0) -> Architecture:
    return Architecture(
        resolution=SIZE,
        stages=(
            Stage(width=16, stride=2, activation=activation),
            Stage(
                width=24,
                stride=2,
                activation=activation,
                se_ratio=se_ratio,
                fusion=Fusion(type="attention"),
            ),
        ),
    )


def images(count: int, seed: int = 0) -> NDArray[np.float32]:
    return np.random.default_rng(seed).standard_normal((count, 3, SIZE, SIZE), np.float32)


def logits(content: bytes, batch: NDArray[np.float32]) -> NDArray[np.float32]:
    result: NDArray[np.float32] = onnxruntime.InferenceSession(content).run(None, {INPUT: batch})[0]
    return result


@pytest.mark.parametrize(
    ("activation", "se_ratio"), [("relu", 0.0), ("relu6", 0.25), ("hardswish", 0.25), ("silu", 0.0)]
)
def test_a_file_in_8_bits_computes_about_the_same(activation: str, se_ratio: float) -> None:
    content = to_onnx(network(activation, se_ratio).lower(5), metadata={"labels": '["a"]'})
    made = quantised(content, [images(8, seed) for seed in range(3)])
    model = onnx.load_from_string(made)
    onnx.checker.check_model(model)
    assert {entry.key: entry.value for entry in model.metadata_props} == {"labels": '["a"]'}
    kinds = {node.op_type for node in model.graph.node}
    assert {"QuantizeLinear", "DequantizeLinear", "Conv"} <= kinds
    batch = images(20, seed=7)  # another size of batch than was calibrated with
    expected = logits(content, batch)
    alike = np.corrcoef(logits(made, batch).ravel(), expected.ravel())[0, 1]
    assert alike > 0.98


def test_the_tools_say_nothing(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        quantised(to_onnx(network().lower(5)), [images(4)])
    assert caplog.text == ""


def test_weights_have_7_bits_where_sums_saturate(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def largest_weight(flags: str, machine: str = "x86_64") -> int:
        (tmp_path / "cpuinfo").write_text(flags)
        monkeypatch.setattr(quantise, "CPU_INFO", tmp_path / "cpuinfo")
        monkeypatch.setattr("platform.machine", lambda: machine)
        model = onnx.load_from_string(quantised(to_onnx(network().lower(5)), [images(4)]))
        weights = [
            onnx.numpy_helper.to_array(held)
            for held in model.graph.initializer
            if held.data_type == onnx.TensorProto.INT8 and len(held.dims) == 4
        ]
        return max(int(np.abs(held.astype(int)).max()) for held in weights)

    assert largest_weight("flags: avx2") == 64
    assert largest_weight("flags: avx2 avx512_vnni") == 127
    assert largest_weight("no flags", machine="aarch64") == 127
    monkeypatch.setattr(quantise, "CPU_INFO", tmp_path / "nothing")
    monkeypatch.setattr("platform.machine", lambda: "x86_64")
    assert quantise._sums_saturate()


@pytest.mark.parametrize(
    ("content", "batches", "words"),
    [
        (b"no network", [images(2)], "cannot load the network"),
        (None, [], "cannot quantise it: No data"),
        (None, [images(2)[:, :, 1:]], r"images of shape \[3, 15, 16\]: the network takes"),
    ],
    ids=["no network", "no images", "another shape"],
)
def test_what_cannot_be_quantised_is_said_in_a_line(
    content: bytes | None, batches: list[NDArray[np.float32]], words: str
) -> None:
    with pytest.raises(MeasureError, match=words) as caught:
        quantised(content or to_onnx(network().lower(5)), batches)
    assert "\n" not in str(caught.value)
