"""A network that is no architecture of mbnas, such as one of torchvision's."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from torch import nn

from mbnas.network import Architecture


@dataclass(frozen=True, slots=True)
class ForeignNetwork:
    """A network that another library makes, trained and timed as it is.

    Attributes:
        name: What it is called; with its resolution, it is known by that.
        resolution: Of its images, in pixels.
        macs: Multiply-accumulates for one image.
        make: Makes its module, which takes normalised images (N, 3, R, R) and gives logits, for a
            number of classes; can be sent to another process.
    """

    name: str
    resolution: int
    macs: int
    make: Callable[[int], nn.Module] = field(compare=False)

    @property
    def id(self) -> str:
        """Tells it from all others; fit for a file's name."""
        return f"{self.name}-{self.resolution}"


AnyNetwork = Architecture | ForeignNetwork
"""What can be trained."""
