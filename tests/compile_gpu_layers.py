"""Compiles a GPU's own layers for a GPU that need not be there, launched as they are on one.

    python tests/compile_gpu_layers.py 90

Writes the kernels compiled, a line each. Nothing is computed, so what the layers give is not looked
at. Triton's interpreter, which other tests use, takes options that no compiler takes.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import torch
from torch import nn
from triton.backends.compiler import GPUTarget
from triton.runtime import JITFunction, driver

from mbnas.training.gpu.depthwise import Depthwise
from mbnas.training.gpu.norm import ACTIVATIONS, NormActivation


class AbsentGpu:
    """As much of Triton's driver as compiling asks for."""

    def __init__(self, capability: int) -> None:
        self.capability = capability

    def get_current_target(self) -> GPUTarget:
        return GPUTarget("cuda", self.capability, 32)

    def get_current_device(self) -> int:
        return 0

    def get_current_stream(self, _: int) -> int:
        return 0


def compile_only(kernel: Any, grid: Any) -> Callable[..., None]:
    def launch(*arguments: Any, **options: Any) -> None:
        compiled = kernel.warmup(*arguments, grid=grid, **options)
        sys.stdout.write(f"{kernel.fn.__name__} {len(compiled.asm['cubin'])}\n")

    return launch


def main(capability: int) -> None:
    driver.set_active(AbsentGpu(capability))
    JITFunction.__getitem__ = compile_only
    layers: list[nn.Module] = [NormActivation(nn.BatchNorm2d(24), kind) for kind in ACTIVATIONS]
    for kernel, stride in ((3, 1), (3, 2), (5, 1), (7, 2)):
        convolution = nn.Conv2d(24, 24, kernel, stride, kernel // 2, groups=24, bias=False)
        layers.append(Depthwise(convolution))
    for layer in layers:
        for kind in (torch.float32, torch.bfloat16):
            x = torch.ones(2, 24, 8, 8, dtype=kind, requires_grad=True)
            layer(x).sum().backward()


if __name__ == "__main__":
    main(int(sys.argv[1]))
