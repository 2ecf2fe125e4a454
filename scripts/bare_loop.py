"""Forward, backward and step on one resident batch: the ceiling for `bench_training.py`."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import torch
from torch.nn import functional as F

sys.path.insert(0, str(Path(__file__).parent.parent))

from stock_loop import CLASSES

from mbnas.model import build
from mbnas.network import Architecture
from mbnas.training.recipe import Precision


class Bare:
    """Forward, backward and step on one random batch."""

    def __init__(
        self, architecture: Architecture, size: int, device: str, precision: Precision
    ) -> None:
        self.device = device
        self.halved = precision == "bfloat16"
        resolution = architecture.resolution
        self.network = build(architecture, CLASSES).to(device)
        self.network.to(memory_format=torch.channels_last)
        images = torch.randn(size, 3, resolution, resolution, device=device)
        self.images = images.to(memory_format=torch.channels_last)
        self.labels = torch.randint(0, CLASSES, (size,), device=device)
        self.optimizer = torch.optim.SGD(
            self.network.parameters(), lr=1e-4, momentum=0.9, nesterov=True, fused=True
        )
        self.graph = self._captured() if device != "cpu" else None

    def run(self, steps: int) -> float:
        """So many steps; seconds."""
        synchronize(self.device)
        start = time.perf_counter()
        for _ in range(steps):
            self.graph.replay() if self.graph is not None else self._step()
        synchronize(self.device)
        return time.perf_counter() - start

    def _step(self) -> None:
        self.optimizer.zero_grad(set_to_none=True)
        with torch.autocast(self.device, torch.bfloat16, enabled=self.halved):
            loss = F.cross_entropy(self.network(self.images), self.labels)
        loss.backward()
        self.optimizer.step()

    def _captured(self) -> torch.cuda.CUDAGraph:
        stream = torch.cuda.Stream()
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            for _ in range(3):
                self._step()
            graph = torch.cuda.CUDAGraph()
            with torch.cuda.graph(graph, stream=stream):
                self._step()
        return graph


def synchronize(device: str) -> None:
    if device != "cpu":
        torch.cuda.synchronize()
