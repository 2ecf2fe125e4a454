"""What torch can compute on here, tried."""

from __future__ import annotations

import os
import shutil
import warnings
from pathlib import Path

import torch

from mbnas.doctor.finding import Finding, fault, first_line, gib, note, well
from mbnas.doctor.limits import cpu_quota
from mbnas.measure.cores import usable_cores
from mbnas.training.gpu.form import why_not

LITTLE_FREE_BYTES = 2**30
SIGNS_OF_A_GPU = ("/dev/nvidia0", "/proc/driver/nvidia/version", "/dev/kfd")
"""Files that a graphics driver makes where there is a GPU."""
MPS = "nvidia-cuda-mps-control"
"""NVIDIA's Multi-Process Service: kernels of several processes run at the same time."""
_OTHER_TORCH = "install the torch that suits it: https://pytorch.org/get-started/locally/"
_SIZE = 64


def devices() -> list[Finding]:
    """The CPU and every GPU, each after a small multiplication on it."""
    return [_processor(), *_graphics()]


def _processor() -> Finding:
    wrong = _miscomputes(torch.device("cpu"))
    if wrong is not None:
        return fault("torch on the CPU", wrong, "pip install --force-reinstall torch")
    threads = torch.get_num_threads()
    usable = min(len(usable_cores()), cpu_quota() or float("inf"))
    said = f"computes, {threads} thread(s), {torch.backends.cpu.get_cpu_capability()}"
    if threads > max(1, usable):
        mend = f"export OMP_NUM_THREADS={max(1, int(usable))}"
        return note("torch on the CPU", f"{said}; only {usable:g} core(s) may be used", mend)
    return well("torch on the CPU", said)


def _graphics() -> list[Finding]:
    with warnings.catch_warnings(record=True) as told:  # why a driver does not work
        warnings.simplefilter("always")
        available = torch.cuda.is_available()
    if available:
        return [_gpu(index) for index in range(torch.cuda.device_count())]
    return [_no_gpu(str(told[0].message).partition("\n")[0] if told else "")]


def _no_gpu(reason: str) -> Finding:
    if not any(Path(sign).exists() for sign in SIGNS_OF_A_GPU):
        return well("GPU", "none; networks are trained on the CPU")
    if "CUDA_VISIBLE_DEVICES" in os.environ:
        hidden = f"hidden by CUDA_VISIBLE_DEVICES={os.environ['CUDA_VISIBLE_DEVICES']}"
        return note("GPU", hidden, "unset CUDA_VISIBLE_DEVICES")
    if torch.version.cuda is None and torch.version.hip is None:
        said = f"there is one, and torch {torch.__version__} is built for the CPU alone"
        return fault("GPU", said, _OTHER_TORCH)
    built = torch.version.cuda or torch.version.hip
    said = f"there is one, and torch (built for {built}) cannot use it"
    mend = "bring its driver up to date (does nvidia-smi work?), or " + _OTHER_TORCH
    return fault("GPU", f"{said}: {reason}" if reason else said, mend)


def _gpu(index: int) -> Finding:
    what, device = f"GPU {index}", torch.device("cuda", index)
    properties = torch.cuda.get_device_properties(index)
    capability = f"{properties.major}.{properties.minor}"
    name = f"{properties.name}, compute capability {capability}"
    wrong = _miscomputes(device)
    if wrong is not None:
        built = ", ".join(torch.cuda.get_arch_list()) or "nothing of its kind"
        return fault(what, f"{name}: {wrong} (torch is built for {built})", _OTHER_TORCH)
    free, total = torch.cuda.mem_get_info(index)
    with torch.cuda.device(index):
        half = torch.cuda.is_bf16_supported(including_emulation=False)
    precision = "bfloat16" if half else "no bfloat16, trains in float32"
    said = f"{name}, computes, {gib(free)} of {gib(total)} free, {precision}"
    if free < LITTLE_FREE_BYTES:
        return note(what, said, "see with nvidia-smi which processes hold its memory")
    reason = why_not(device)
    if reason is not None:
        said += f"; trainings take longer than they need to: Triton does not work ({reason})"
        return note(what, said, "install a C compiler (Debian: gcc), and the Triton of this torch")
    if shutil.which(MPS) and not _mps_runs():
        said += "; its trainings take turns, and with NVIDIA's MPS they would not"
        return note(
            what,
            said,
            f"{MPS} -d before a search, which then ends sooner; echo quit | {MPS} stops it",
        )
    return well(what, said)


def _mps_runs() -> bool:
    """Whether MPS listens where CUDA looks for it."""
    return Path(os.environ.get("CUDA_MPS_PIPE_DIRECTORY", "/tmp/nvidia-mps"), "control").exists()


def _miscomputes(device: torch.device) -> str | None:
    """What is wrong with a multiplication on a device; None where it comes out right."""
    left = torch.arange(_SIZE * _SIZE, dtype=torch.float32).reshape(_SIZE, _SIZE) / _SIZE**2
    try:
        there = left.to(device)
        product = (there @ there).cpu()
    except RuntimeError as error:  # out of memory too
        return f"cannot compute ({first_line(error)})"
    right = torch.from_numpy(left.numpy() @ left.numpy())
    return None if torch.allclose(product, right, rtol=1e-2) else "computes wrongly"
