"""Networks from files: what cannot be timed is told under its file's name."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import onnx
import pytest
from helpers import some_architectures, tiny_space

from mbnas.errors import MeasureError, SpaceError
from mbnas.measure.networks import open_network
from mbnas.measure.onnx_file import to_onnx
from mbnas.network import Architecture, Stage

NETWORK = some_architectures(tiny_space(), 1)[0]


def changed(change: Callable[[Any], None]) -> bytes:
    """The network's file, and something else in it."""
    model = onnx.load_model_from_string(to_onnx(NETWORK.lower(10)))
    change(model)
    return bytes(model.SerializeToString())


def set_size(model: Any, at: int, size: int) -> None:
    model.graph.input[0].type.tensor_type.shape.dim[at].dim_value = size


def point_outside(model: Any) -> None:
    tensor = model.graph.initializer[0]
    tensor.ClearField("raw_data")
    tensor.data_location = onnx.TensorProto.EXTERNAL
    entry = tensor.external_data.add()
    entry.key, entry.value = "location", "/etc/passwd"


FILES = {
    "empty": b"",
    "cut": to_onnx(NETWORK.lower(10))[:500],
    "no network": b"schema = 1",
    "an input without values": changed(lambda model: set_size(model, 0, 0)),
    "an input too large": changed(lambda model: set_size(model, 0, 2**40)),
    "an input of no size": changed(lambda model: set_size(model, 0, 2**62)),
    "another input": changed(lambda model: set_size(model, 1, 5)),
    "weights elsewhere": changed(point_outside),
    "a name that is no text": to_onnx(NETWORK.lower(10)).replace(b"Conv", b"\xefonv"),
    "an operator of no kind": changed(
        lambda model: setattr(model.graph.node[0], "op_type", "Nothing")
    ),
}


@pytest.mark.parametrize("content", FILES.values(), ids=FILES.keys())
def test_an_onnx_file_that_cannot_be_timed(content: bytes, tmp_path: Path) -> None:
    file = tmp_path / "network.onnx"
    file.write_bytes(content)
    with pytest.raises(MeasureError) as caught:
        open_network(file)
    message = str(caught.value)
    assert message.startswith(f"{file}: ")
    assert len(message.splitlines()) == 1


def test_a_sound_file_is_taken(tmp_path: Path) -> None:
    file = tmp_path / "network.onnx"
    file.write_bytes(to_onnx(NETWORK.lower(10)))
    assert open_network(file).file == file.read_bytes()


@pytest.mark.parametrize("what", ["mobilenet_v2", "torchvision:resnet18"])
def test_no_classes(what: str) -> None:
    with pytest.raises(SpaceError, match="classes = -5: must be at least 1"):
        open_network(what, classes=-5)


def test_what_is_no_file(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.onnx")
    for place in (tmp_path / "pipe.onnx", tmp_path / "none.onnx", tmp_path):
        with pytest.raises(MeasureError, match=r"no such file|no reference"):
            open_network(place)
    with pytest.raises(MeasureError, match="cannot be read"):
        open_network("x" * 5000)


def test_a_network_too_large_for_a_file_is_refused_before_it_is_made() -> None:
    large = Architecture(resolution=8, stages=(Stage(width=1_000_000),))
    with pytest.raises(MeasureError, match=r"would have 4\.4 GiB; at most 2 can be written"):
        to_onnx(large.lower(1000))
