"""How much of a device's memory a training takes, by arithmetic."""

from __future__ import annotations

import math
from dataclasses import dataclass

from mbnas.model import AnyNetwork
from mbnas.network import Architecture, costs


@dataclass(frozen=True, slots=True)
class MemoryShare:
    """The share of a device's free memory that training a network takes; it holds no images.

    Of every primitive's output, one copy is kept for the backward pass, and a gradient passes.
    What a foreign network needs is not known: it is trained alone.

    Attributes:
        free_bytes: Of the device.
        bytes_besides: What a training needs beside its network's: a process of its own on a GPU.
        classes: Number of classes.
        batch_size: Images a step.
        bytes_a_value: Of maps and gradients.
    """

    free_bytes: float
    bytes_besides: float
    classes: int
    batch_size: int
    bytes_a_value: int

    def __call__(self, architecture: AnyNetwork) -> float:
        """Between 0 and what is more than there is."""
        if not isinstance(architecture, Architecture):
            return 1.0
        graph = architecture.lower(self.classes)
        values = sum(math.prod(node.shape) for node in graph.nodes)
        maps = 2 * values * self.batch_size * self.bytes_a_value
        return (maps + 16 * costs(graph).params + self.bytes_besides) / self.free_bytes
