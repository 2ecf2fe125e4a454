"""Of marks that would lie on one another, one: so that a plot of many thousands stays quick."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.number[Any]]
COLUMNS, ROWS = 240, 130
"""Cells of what is looked at, each about as large as a small mark."""


@dataclass(frozen=True, slots=True)
class Window:
    """The part of the plane that is looked at.

    Attributes:
        x: Its ends as the axis across has them, on a logarithmic one powers of ten; None for all.
        y: The same of the axis up.
    """

    x: tuple[float, float] | None = None
    y: tuple[float, float] | None = None


def parted(x: Numbers, y: Numbers, window: Window) -> NDArray[np.bool_]:
    """Which of some marks to draw, so that each cell that holds any shows one.

    Args:
        x: Where they stand, as the axis across has it.
        y: The same of the axis up.
        window: Inside it, cells are as small as it asks for.
    """
    if not len(x):
        return np.zeros(0, dtype=bool)
    whole = (float(x.min()), float(x.max())), (float(y.min()), float(y.max()))
    kept = _first_of_cells(x, y, *whole)
    across, up = window.x or whole[0], window.y or whole[1]
    inside = (x >= min(across)) & (x <= max(across)) & (y >= min(up)) & (y <= max(up))
    if not inside.all():
        near = np.flatnonzero(inside)
        kept[near[_first_of_cells(x[near], y[near], across, up)]] = True
    return kept


def _first_of_cells(
    x: Numbers, y: Numbers, across: tuple[float, float], up: tuple[float, float]
) -> NDArray[np.bool_]:
    cells = _cell(x, across, COLUMNS) * (ROWS + 1) + _cell(y, up, ROWS)
    kept = np.zeros(len(x), dtype=bool)
    kept[np.unique(cells, return_index=True)[1]] = True
    return kept


def _cell(values: Numbers, ends: tuple[float, float], cells: int) -> NDArray[np.int64]:
    low, high = min(ends), max(ends)
    share = (values - low) / ((high - low) or 1.0)
    cell: NDArray[np.int64] = np.floor(share * cells).astype(np.int64)
    return cell
