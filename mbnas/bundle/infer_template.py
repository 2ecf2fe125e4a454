"""Classifies images with model.onnx, which lies beside this file.

    python infer.py photo.jpg more.png --top 3

Prints a line for each image: its path, then labels and their probabilities, separated by tabs.
One that cannot be classified is told on stderr, and the exit code is 1 at the end.
Needs onnxruntime, numpy and pillow. Images are prepared as they were for training.
"""

from __future__ import annotations

import argparse
import functools
import io
import json
import lzma
import struct
import sys
import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from PIL import Image

MODEL = Path(__file__).with_name("model.onnx")
UPRIGHT = {  # what turns an image upright, by its EXIF orientation
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
# What PIL and the file system raise for bytes that are no whole image.
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
FAULTS = (
    *UNREADABLE,
    *(
        kind
        for kind in vars(onnxruntime.capi.onnxruntime_pybind11_state).values()
        if isinstance(kind, type) and issubclass(kind, Exception)
    ),
)


def classify(path: str | Path, top: int = 1, model: str | Path = MODEL) -> list[tuple[str, float]]:
    """The most probable labels of an image with their probabilities, the best first."""
    if top < 1:
        raise ValueError(f"top = {top}: must be at least 1")
    session, how, labels = _opened(str(model))
    with Image.open(path) as image:
        pixels = prepared(image, how)
    (logits,) = session.run(None, {session.get_inputs()[0].name: pixels})[0]
    shares = np.exp(logits.astype(np.float64) - logits.max())
    shares /= shares.sum()
    best = np.argsort(-shares, kind="stable")[:top]
    return [(labels[at], float(shares[at])) for at in best]


@functools.lru_cache(maxsize=1)
def _opened(model: str) -> tuple[onnxruntime.InferenceSession, dict[str, Any], list[str]]:
    beside = MODEL.parent / model
    file = beside if beside.exists() and not Path(model).exists() else model
    session = onnxruntime.InferenceSession(
        str(file), providers=["CPUExecutionProvider"], enable_fallback=False
    )
    told = session.get_modelmeta().custom_metadata_map
    return session, json.loads(told["preprocessing"]), json.loads(told["labels"])


def prepared(image: Image.Image, how: dict[str, Any]) -> Any:
    """An image as the network takes it: normalised float32 (1, 3, R, R)."""
    pixels = _square(image, how["decoded_resolution"])
    for axis in (1, 0):
        if pixels.shape[axis] != how["resolution"]:
            pixels = _resized(pixels, how["resolution"], axis)
    pixels = np.rint(pixels).clip(0, 255)
    levels = np.float32(1 / how["scale"])
    scale = 1 / (np.float32(how["std"]) * levels)
    normalised = pixels * scale - np.float32(how["mean"]) * levels * scale
    return normalised.transpose(2, 0, 1)[None]


def _square(image: Image.Image, size: int) -> Any:
    """The centre square of an image, upright and in colour, as float32 (size, size, 3)."""
    image.draft(None, (2 * size, 2 * size))  # a JPEG shrinks by powers of two while it is decoded
    image.load()
    turn = UPRIGHT.get(image.getexif().get(0x0112, 1))
    is_widened = image.mode == "I" and image.format in ("PNG", "PPM")
    if image.mode.startswith("I;16") or is_widened:
        # Grey of 16 bits, which Pillow would clip instead of scaling.
        grey = np.clip(np.asarray(image).astype(np.int64) // 256, 0, 255).astype(np.uint8)
        image = Image.fromarray(grey)
    elif image.mode.startswith(("I", "F")):
        raise ValueError(
            "float, signed or 32-bit pixels have no agreed range; save it with 8 or 16 bits"
        )
    elif image.has_transparency_data:
        coloured = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), coloured)
    image = image.convert("RGB")
    if turn is not None:
        image = image.transpose(turn)
    if image.size != (size, size):
        width, height = image.size
        side = min(width, height)
        left, top = (width - side) / 2, (height - side) / 2
        box = (left, top, left + side, top + side)
        image = image.resize((size, size), Image.Resampling.BILINEAR, box=box)
    return np.asarray(image, np.float32)


def _resized(pixels: Any, size: int, axis: int) -> Any:
    """Another size along an axis, bilinear and antialiased, rounded at each step as torch does."""
    lines = np.moveaxis(pixels, axis, 0)
    scale = np.float32(len(lines)) / np.float32(size)
    support = max(scale, np.float32(1))
    made = []
    for at in range(size):
        centre = scale * np.float32(at + 0.5)
        first = max(int(centre - support + np.float32(0.5)), 0)
        last = min(int(centre + support + np.float32(0.5)), len(lines))
        distances = (np.arange(first, last, dtype=np.float32) - centre) + np.float32(0.5)
        weights = np.maximum(0, 1 - np.abs(distances * (np.float32(1) / support)))
        weights /= weights.sum()
        line = lines[first] * weights[0]
        for more, weight in zip(lines[first + 1 : last], weights[1:].tolist(), strict=True):
            # Multiplied and added with one rounding, as processors do.
            line = (line + more.astype(np.float64) * weight).astype(np.float32)
        made.append(line)
    return np.moveaxis(np.stack(made), 0, axis)


def _at_least_one(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text}: must be a whole number of at least 1")
    return int(text)


def _line(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Classifies images.")
    parser.add_argument("images", nargs="+", metavar="IMAGE")
    parser.add_argument(
        "--top", type=_at_least_one, default=1, help="labels for each image (default 1)"
    )
    parser.add_argument(
        "--model", default=MODEL, help="another file, such as model.int8.onnx, here or beside this"
    )
    return parser.parse_args()


def main() -> None:
    """Reads the command line and prints."""
    arguments = _arguments()
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # a label may be of any script
    try:
        _opened(str(arguments.model))
    except FAULTS as error:
        sys.exit(f"{arguments.model}: cannot be loaded as a model of mbnas ({_line(error)})")
    failed = False
    for path in arguments.images:
        try:
            found = classify(path, arguments.top, arguments.model)
        except FAULTS as error:
            sys.stderr.write(f"{path}: cannot be classified ({_line(error)})\n")
            failed = True
            continue
        told = [f"{label}\t{share:.4f}" for label, share in found]
        sys.stdout.write("\t".join([path, *told]) + "\n")
    if failed:
        sys.exit(1)


if __name__ == "__main__":
    main()
