"""Which classes are taken for which: counted, told in words, and drawn."""

from __future__ import annotations

import io
from collections.abc import Sequence
from itertools import product

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

NAMED = 5
MOST_LABELLED = 100
_LONGEST_LABEL = 18
_RIGHT, _WRONG, _INK, _GRID = (31, 95, 160), (196, 60, 40), (40, 40, 40), (225, 225, 225)
_MARGIN = 12


def confusion_matrix(
    labels: NDArray[np.int64], predicted: NDArray[np.int64], classes: int
) -> NDArray[np.int64]:
    """Counts (classes, classes): a row is what images are, a column what they are taken for."""
    counts = np.bincount(labels * classes + predicted, minlength=classes**2)
    return counts.reshape(classes, classes)


def confusions(counts: NDArray[np.int64], names: Sequence[str]) -> list[str]:
    """The most frequent mistakes, a few words each."""
    wrong = counts.copy()
    np.fill_diagonal(wrong, 0)
    most = np.argsort(-wrong, axis=None, kind="stable")[:NAMED]
    pairs = [divmod(int(at), len(names)) for at in most]
    return [
        f"{names[is_]} taken for {names[seen]}: {wrong[is_, seen]} of {counts[is_].sum()}"
        for is_, seen in pairs
        if wrong[is_, seen]
    ]


def confusion_picture(counts: NDArray[np.int64], names: Sequence[str]) -> bytes:
    """A PNG: each cell's shade is its share of its row, blue where right and red where wrong.

    Up to 100 classes are labelled; cells of more are only a few pixels wide.
    """
    size = len(names)
    cell = max(12, min(48, 640 // size)) if size <= MOST_LABELLED else max(1, 1200 // size)
    height = min(16, max(10, cell - 2))
    font = _font(height)
    small = _font(max(9, cell // 3))
    shown = [_short(name) for name in names] if size <= MOST_LABELLED else []
    space = _MARGIN + max((int(font.getlength(name)) for name in shown), default=0) + 8
    title = height + 10
    left, top = space + title, space + title
    side = size * cell
    picture = Image.new("RGB", (left + side + _MARGIN, top + side + _MARGIN), "white")
    draw = ImageDraw.Draw(picture)
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    for row, column in product(range(size), repeat=2):
        x, y = left + column * cell, top + row * cell
        share, count = float(shares[row, column]), int(counts[row, column])
        tint = _tint(share, _RIGHT if row == column else _WRONG)
        outline = _GRID if cell >= 6 else None
        draw.rectangle((x, y, x + cell - 1, y + cell - 1), fill=tint, outline=outline)
        if cell >= 24 and count:
            ink = (255, 255, 255) if share > 0.5 else _INK
            draw.text((x + cell / 2, y + cell / 2), str(count), ink, small, anchor="mm")
    for at, name in enumerate(shown):
        centre = at * cell + cell // 2
        draw.text((left - 6, top + centre), name, _INK, font, anchor="rm")
        _write_up(picture, (left + centre, top - 6), name, font)
    draw.text((left + side / 2, _MARGIN), "taken for", _INK, font, anchor="mt")
    _write_up(picture, (_MARGIN + height // 2, top + side // 2), "is", font)
    held = io.BytesIO()
    picture.save(held, "PNG", optimize=True)
    return held.getvalue()


def _font(size: int) -> ImageFont.FreeTypeFont:
    font = ImageFont.load_default(size)
    assert isinstance(font, ImageFont.FreeTypeFont)  # as it is of every given size
    return font


def _short(name: str) -> str:
    return name if len(name) <= _LONGEST_LABEL else f"{name[: _LONGEST_LABEL - 1]}…"


def _tint(share: float, full: tuple[int, int, int]) -> tuple[int, ...]:
    # By the root, so that rare mistakes are seen.
    return tuple(round(255 + (value - 255) * share**0.5) for value in full)


def _write_up(
    picture: Image.Image, foot: tuple[int, int], text: str, font: ImageFont.FreeTypeFont
) -> None:
    """Text that runs upwards from its foot, centred on it."""
    line = Image.new("L", (int(font.getlength(text)) + 2, int(font.size) + 4))
    ImageDraw.Draw(line).text((0, line.height / 2), text, 255, font, anchor="lm")
    upright = line.rotate(90, expand=True)
    corner = (foot[0] - upright.width // 2, foot[1] - upright.height)
    picture.paste(_INK, (*corner, corner[0] + upright.width, corner[1] + upright.height), upright)
