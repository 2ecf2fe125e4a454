"""How a map is shared out among the programs of a GPU.

In channels-last memory a map is a matrix, a row for each pixel of each image. A program takes a
block of channels, and a part of the rows tile by tile.
"""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass
from typing import Any

import torch

WIDTH_STEP = 8
"""Widths are multiples of it, so that values are read 16 bytes at a time."""
BLOCKS = (64, 32, 16)


@dataclass(frozen=True, slots=True)
class Tiling:
    """A matrix (rows, width) cut for so many programs.

    Attributes:
        tile: Rows of a tile.
        block: Channels of a tile.
        parts: Of the rows.
        blocks: Of the channels.
        rows_each: Rows of a part, a multiple of those of a tile.
    """

    tile: int
    block: int
    parts: int
    blocks: int
    rows_each: int

    @classmethod
    def of(cls, rows: int, width: int, *, values: int, programs: int | None = None) -> Tiling:
        """For tiles of so many values, and as many programs at most; None for a tile each."""
        block = min(BLOCKS, key=lambda size: math.ceil(width / size) * size)
        blocks = math.ceil(width / block)
        tile = values // block
        tiles = math.ceil(rows / tile)
        parts = tiles if programs is None else max(1, min(programs // blocks, tiles))
        rows_each = math.ceil(rows / parts / tile) * tile
        return cls(tile, block, math.ceil(rows / rows_each), blocks, rows_each)


def fits(width: int) -> bool:
    """Whether the kernels can take maps of so many channels."""
    return width % WIDTH_STEP == 0


@functools.cache
def processors(device: torch.device) -> int:
    """How many programs a device runs side by side, at the least."""
    if device.type != "cuda":
        return 2
    properties: Any = torch.cuda.get_device_properties(device)
    return int(properties.multi_processor_count)
