from __future__ import annotations

import shutil
import warnings
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from mbnas.doctor import devices
from mbnas.doctor.finding import Finding


@pytest.fixture
def gpu_in_the_machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A machine whose driver sees a GPU, whatever torch sees."""
    (tmp_path / "nvidia0").touch()
    monkeypatch.setattr(devices, "SIGNS_OF_A_GPU", (str(tmp_path / "nvidia0"),))
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)


def gpu() -> Finding:
    return devices.devices()[1]


def test_the_cpu_computes() -> None:
    found = devices.devices()[0]
    assert found.state in ("well", "note")
    assert "computes" in found.said


def test_a_device_that_computes_wrongly_is_a_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch, "allclose", lambda *_, **__: False)
    found = devices.devices()[0]
    assert (found.state, found.said) == ("fault", "computes wrongly")
    assert found.mend


def test_more_threads_than_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch, "get_num_threads", lambda: 64)
    monkeypatch.setattr(devices, "cpu_quota", lambda: 1.5)
    found = devices.devices()[0]
    assert found.state == "note"
    assert found.mend == "export OMP_NUM_THREADS=1"


def test_no_gpu_is_well(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(devices, "SIGNS_OF_A_GPU", ())
    assert gpu().state == "well"


@pytest.mark.usefixtures("gpu_in_the_machine")
def test_a_torch_without_cuda_beside_a_gpu_is_a_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.version, "cuda", None)
    monkeypatch.setattr(torch.version, "hip", None)
    found = gpu()
    assert found.state == "fault"
    assert "built for the CPU alone" in found.said
    assert "pytorch.org" in str(found.mend)


@pytest.mark.usefixtures("gpu_in_the_machine")
def test_an_old_driver_is_a_fault_with_torchs_own_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    def warns() -> bool:
        warnings.warn("The NVIDIA driver on your system is too old\nat file.cpp", stacklevel=1)
        return False

    monkeypatch.setattr(torch.version, "cuda", "13.0")
    monkeypatch.setattr(torch.cuda, "is_available", warns)
    found = gpu()
    assert found.state == "fault"
    assert found.said.endswith("cannot use it: The NVIDIA driver on your system is too old")
    assert "driver" in str(found.mend)


@pytest.mark.usefixtures("gpu_in_the_machine")
def test_a_hidden_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert (gpu().state, gpu().mend) == ("note", "unset CUDA_VISIBLE_DEVICES")


@pytest.fixture
def pretended_gpu(monkeypatch: pytest.MonkeyPatch) -> dict[str, float]:
    """The CPU in the place of a GPU; its free bytes may be changed."""
    memory = {"free": 30 * 2**30, "total": 80 * 2**30}
    properties = SimpleNamespace(name="H100", major=9, minor=0)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda _: properties)
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda _: (memory["free"], memory["total"]))
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda **_: True)
    monkeypatch.setattr(torch.cuda, "get_arch_list", lambda: ["sm_50"])
    monkeypatch.setattr(torch.cuda, "device", lambda _: warnings.catch_warnings())
    monkeypatch.setattr(devices, "_miscomputes", lambda device: None)
    monkeypatch.setattr(devices, "why_not", lambda device: None)
    monkeypatch.setattr(shutil, "which", lambda _: None)
    return memory


def test_a_gpu_that_computes(pretended_gpu: dict[str, float]) -> None:
    found = gpu()
    assert found.state == "well"
    assert "H100, compute capability 9.0, computes, 30.0 GiB of 80.0 GiB free" in found.said
    pretended_gpu["free"] = 2**20
    assert gpu().state == "note"
    assert "nvidia-smi" in str(gpu().mend)


@pytest.mark.usefixtures("pretended_gpu")
def test_a_gpu_whose_trainings_take_turns(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("CUDA_MPS_PIPE_DIRECTORY", str(tmp_path))
    monkeypatch.setattr(shutil, "which", lambda name: f"/usr/bin/{name}")
    assert gpu().state == "note"
    assert "nvidia-cuda-mps-control -d" in str(gpu().mend)
    (tmp_path / "control").touch()
    assert gpu().state == "well"


@pytest.mark.usefixtures("pretended_gpu")
def test_a_gpu_without_triton(monkeypatch: pytest.MonkeyPatch) -> None:
    reason = "RuntimeError: Failed to find C compiler."
    monkeypatch.setattr(devices, "why_not", lambda device: reason)
    assert gpu().state == "note"
    assert reason in gpu().said
    assert "gcc" in str(gpu().mend)


@pytest.mark.usefixtures("pretended_gpu")
def test_a_gpu_for_which_torch_is_not_built(monkeypatch: pytest.MonkeyPatch) -> None:
    wrong = "cannot compute (no kernel image is available for execution on the device)"
    monkeypatch.setattr(
        devices, "_miscomputes", lambda device: wrong if device.type == "cuda" else None
    )
    assert gpu().state == "fault"
    assert "no kernel image" in gpu().said
    assert "torch is built for sm_50" in gpu().said
    assert gpu().mend


@pytest.mark.skipif(torch.cuda.is_available(), reason="a device that is there")
def test_a_device_that_is_not_there_cannot_compute(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "cannot compute" in str(devices._miscomputes(torch.device("meta")))
