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
    layers: list[tuple[int, nn.Module]] = [
        (width, NormActivation(nn.BatchNorm2d(width), activation))
        for width, activation in (
            (8, "relu6"),
            (64, "relu6"),
            *((24, kind) for kind in ACTIVATIONS),
        )
    ]
    for width, kernel, stride in ((8, 3, 1), (64, 3, 1), (24, 3, 2), (24, 5, 1), (24, 9, 2)):
        convolution = nn.Conv2d(width, width, kernel, stride, kernel // 2, groups=width, bias=False)
        layers.append((width, Depthwise(convolution)))
    for width, layer in layers:
        for kind in (torch.float32, torch.bfloat16):
            x = torch.ones(2, width, 8, 8, dtype=kind, requires_grad=True)
            layer(x).sum().backward()


if __name__ == "__main__":
    main(int(sys.argv[1]))
