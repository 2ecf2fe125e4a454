"""One image: from whatever PIL opens to a square of colour values."""

from __future__ import annotations

import lzma
import struct
import zipfile
import zlib

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageOps

# What PIL, zipfile and the file system raise for bytes that are no whole image.
UNREADABLE: tuple[type[Exception], ...] = (
    OSError,
    ValueError,
    SyntaxError,
    EOFError,
    KeyError,
    IndexError,
    RuntimeError,
    struct.error,
    zlib.error,
    lzma.LZMAError,
    zipfile.BadZipFile,
    Image.DecompressionBombError,
)


def to_array(image: Image.Image, resolution: int) -> npt.NDArray[np.uint8]:
    """Turns an image upright, flattens it to colour and cuts its centre square.

    The shorter side is resized to `resolution` by antialiased bilinear filtering.

    Returns:
        uint8 of shape (3, R, R).

    Raises:
        ValueError: The pixels have no agreed range of brightness, as floats do.
    """
    # A JPEG decoder shrinks by powers of two for almost nothing. Twice the resolution is kept
    # for the antialiasing filter, as PIL's own thumbnail() does.
    image.draft(None, (2 * resolution, 2 * resolution))
    image.load()
    ImageOps.exif_transpose(image, in_place=True)
    colour = _to_rgb(image)
    if colour.size != (resolution, resolution):
        colour = colour.resize(
            (resolution, resolution), Image.Resampling.BILINEAR, box=_centre_square(colour)
        )
    return np.asarray(colour).transpose(2, 0, 1)


def _to_rgb(image: Image.Image) -> Image.Image:
    if image.mode == "RGB" and "transparency" not in image.info:
        return image
    if image.mode.startswith("I"):
        # PIL clips 16-bit grey at 255 instead of scaling it, which leaves a white image.
        grey = np.clip(np.asarray(image).astype(np.int64) // 256, 0, 255).astype(np.uint8)
        return Image.fromarray(grey).convert("RGB")
    if image.mode == "F":
        raise ValueError("floating-point pixels have no agreed range; save it with 8 or 16 bits")
    if image.has_transparency_data:
        coloured = image.convert("RGBA")
        white = Image.new("RGBA", coloured.size, "white")
        return Image.alpha_composite(white, coloured).convert("RGB")
    return image.convert("RGB")


def _centre_square(image: Image.Image) -> tuple[float, float, float, float]:
    width, height = image.size
    side = min(width, height)
    left, top = (width - side) / 2, (height - side) / 2
    return left, top, left + side, top + side
