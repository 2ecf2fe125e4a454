"""One image: from whatever PIL opens to a square of colour values."""

from __future__ import annotations

import lzma
import struct
import zipfile
import zlib
from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
from PIL import Image

# What PIL, zipfile and the file system raise for bytes that are no whole image.
UNREADABLE: tuple[type[Exception], ...] = (
    OSError,
    TypeError,
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
ORIENTATION = 0x0112
UPRIGHT: Mapping[int, Image.Transpose] = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""What turns an image upright, by its EXIF orientation. PIL's own exif_transpose would also write
the EXIF block anew, and fail at tags of another type than they should have."""
SIXTEEN_BITS = ("PNG", "PPM")
"""Formats whose greys PIL may widen to mode "I"; in others that is 32 bits, or signed ones."""


def to_array(image: Image.Image, resolution: int) -> npt.NDArray[np.uint8]:
    """Turns an image upright, flattens it to colour and cuts its centre square.

    The shorter side is resized to `resolution` by antialiased bilinear filtering.

    Returns:
        uint8 of shape (3, R, R).

    Raises:
        ValueError: The pixels have no agreed range of brightness, as floats and 32 bits.
    """
    # A JPEG decoder shrinks by powers of two for almost nothing. Twice the resolution is kept
    # for the antialiasing filter, as PIL's own thumbnail() does.
    image.draft(None, (2 * resolution, 2 * resolution))
    image.load()
    turn = UPRIGHT.get(image.getexif().get(ORIENTATION, 1))
    colour = _to_rgb(image)
    if turn is not None:
        colour = colour.transpose(turn)
    if colour.size != (resolution, resolution):
        colour = colour.resize(
            (resolution, resolution), Image.Resampling.BILINEAR, box=_centre_square(colour)
        )
    return np.asarray(colour).transpose(2, 0, 1)


def _to_rgb(image: Image.Image) -> Image.Image:
    if image.mode == "RGB" and "transparency" not in image.info:
        return image
    if image.mode.startswith("I;16") or (image.mode == "I" and image.format in SIXTEEN_BITS):
        # PIL clips 16-bit grey at 255 instead of scaling it, which leaves a white image.
        grey = np.clip(np.asarray(image).astype(np.int64) // 256, 0, 255).astype(np.uint8)
        return Image.fromarray(grey).convert("RGB")
    if image.mode.startswith(("I", "F")):
        raise ValueError(
            "float, signed or 32-bit pixels have no agreed range; save it with 8 or 16 bits"
        )
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
