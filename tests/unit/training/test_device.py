"""What is asked of a GPU, and what its errors mean, without one."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import pytest
import torch

from mbnas.training import device as devices
from mbnas.training.device import choose_device, lacks_memory, own_stream, usual_precision
from mbnas.training.trainer import NonFiniteLossError, OutOfMemoryError

GPU = torch.device("cuda", 0)


@pytest.mark.parametrize(
    "text",
    [
        "CUDA error: out of memory\nCUDA kernel errors might be reported later",
        "cuDNN error: CUDNN_STATUS_INTERNAL_ERROR_DEVICE_ALLOCATION_FAILED",
        "CUDA error: CUBLAS_STATUS_NOT_INITIALIZED when calling `cublasCreate(handle)`",
        "HIP error: out of memory",
        "Triton Error [HIP]: out of memory",
    ],
)
def test_a_lack_of_memory_is_told_by_its_names(text: str) -> None:
    assert lacks_memory(RuntimeError(text))
    after = RuntimeError("operation failed due to a previous error during capture")
    after.__context__ = RuntimeError(text)
    assert lacks_memory(after)
    assert not lacks_memory(RuntimeError("CUDA error: an illegal memory access"))


def test_a_device_that_is_full_is_not_one_that_is_not_there(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def full(*_: object, **__: object) -> None:
        raise RuntimeError("CUDA error: out of memory")

    monkeypatch.setattr(torch, "empty", full)
    with pytest.raises(OutOfMemoryError, match="cuda:1"):
        choose_device("cuda:1")


@pytest.mark.parametrize(
    ("device", "precision"),
    [("cuda:0", "float32"), ("cuda:1", "bfloat16"), ("cuda", "float32"), ("cpu", "float32")],
)
def test_bfloat16_is_asked_of_the_gpu_that_trains_and_of_all_where_all_may(
    device: str, precision: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first GPU is too old for it, the second is not."""
    current = [0]

    @contextlib.contextmanager
    def on(index: int) -> Iterator[None]:
        current.append(index)
        yield
        current.pop()

    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "device", on)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda **_: current[-1] == 1)
    assert usual_precision("auto", torch.device(device)) == precision
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert usual_precision("auto", torch.device(device)) == "float32"


def test_a_stream_is_had_again_unless_an_error_may_have_left_it_in_a_capture(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made: list[object] = []
    monkeypatch.setattr(devices, "_FREE_STREAMS", {})
    monkeypatch.setattr(torch.cuda, "Stream", lambda _: made.append(object()) or made[-1])
    monkeypatch.setattr(torch.cuda, "stream", lambda _: contextlib.nullcontext())
    monkeypatch.setattr(torch.cuda, "device", lambda _: contextlib.nullcontext())
    with own_stream(GPU), own_stream(GPU):
        assert len(made) == 2
    for _ in range(5):
        with pytest.raises(NonFiniteLossError), own_stream(GPU):
            raise NonFiniteLossError("epoch 1")
    assert len(made) == 2
    for _ in range(2):
        with pytest.raises(RuntimeError), own_stream(GPU):
            raise RuntimeError("in the middle of it")
    with own_stream(GPU):
        assert len(made) == 3
