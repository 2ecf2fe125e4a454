"""infer.py prepares images as a training does."""

from __future__ import annotations

import io
import os
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from helpers import Images
from numpy.typing import NDArray
from PIL import Image, ImageOps, TiffImagePlugin

import mbnas
from mbnas.bundle import infer_template as infer
from mbnas.data.images import UNREADABLE, to_array
from mbnas.measure.onnx_file import to_onnx
from mbnas.measure.session import open_session, run_session
from mbnas.network import reference
from mbnas.training.images import ImageTensors, Normalisation

SAMPLES = Path(os.environ.get("MBNAS_TEST_DATA", Path(__file__).parents[4] / "shared" / "data"))
Pixels = NDArray[np.uint8]
DIGITS = 100


def noise(width: int, height: int, channels: int = 3) -> Pixels:
    shape = (height, width, channels)
    return np.random.default_rng(width).integers(0, 256, shape, dtype=np.uint8).squeeze()


def saved(image: Image.Image, kind: str = "PNG", **options: Any) -> Callable[[], Image.Image]:
    held = io.BytesIO()
    image.save(held, kind, **options)
    return lambda: Image.open(io.BytesIO(held.getvalue()))


def png(pixels: Pixels) -> bytes:
    held = io.BytesIO()
    Image.fromarray(pixels).save(held, "PNG")
    return held.getvalue()


def turned(orientation: int = 6) -> Image.Exif:
    exif = Image.Exif()
    exif[0x0112] = orientation
    return exif


def of_other_types() -> bytes:
    """EXIF of a turned photo that says its resolution in a text."""
    orientation = struct.pack("<HHIHH", 0x0112, 3, 1, 6, 0)
    resolution = struct.pack("<HHI4s", 0x011A, 2, 3, b"72")
    return b"Exif\0\0II*\0" + struct.pack("<IH", 8, 2) + orientation + resolution + bytes(4)


def deep_grey() -> Image.Image:
    return Image.fromarray(np.arange(40 * 30, dtype=np.uint16).reshape(30, 40) * 50)


OPENED = {
    "colour": saved(Image.fromarray(noise(41, 30))),
    "square": saved(Image.fromarray(noise(24, 24))),
    "small": saved(Image.fromarray(noise(9, 7))),
    "grey": saved(Image.fromarray(noise(40, 31, 1))),
    "alpha": saved(Image.fromarray(noise(33, 40, 4))),
    "grey and alpha": saved(Image.fromarray(noise(33, 40, 2))),
    "palette": saved(Image.fromarray(noise(40, 40)).quantize(20)),
    "one colour is clear": saved(Image.fromarray(noise(40, 40)).quantize(20), transparency=3),
    "black and white": saved(Image.fromarray(noise(40, 40, 1)).convert("1")),
    "16 bits": saved(deep_grey()),
    "16 bits that PIL widens": saved(deep_grey(), "PPM"),
    "a large JPEG": saved(Image.fromarray(noise(400, 300)), "JPEG"),
    "a turned JPEG": saved(Image.fromarray(noise(60, 40)), "JPEG", exif=turned()),
    "a turned JPEG with tags of other types": saved(
        Image.fromarray(noise(60, 40)), "JPEG", exif=of_other_types()
    ),
    "CMYK": saved(Image.fromarray(noise(60, 40)).convert("CMYK"), "JPEG"),
}


def told(normalisation: Normalisation, decoded: int, resolution: int) -> dict[str, Any]:
    return {
        "decoded_resolution": decoded,
        "resolution": resolution,
        "scale": 1 / 255,
        "mean": list(normalisation.mean),
        "std": list(normalisation.std),
    }


def by_training(images: Pixels, how: dict[str, Any]) -> NDArray[np.float32]:
    """What a network sees of decoded images (N, 3, D, D) in a training."""
    part = Images(images, np.zeros(len(images), np.int64))
    normalisation = Normalisation(tuple(how["mean"]), tuple(how["std"]))
    held = ImageTensors(part, normalisation, torch.device("cpu"))
    seen = [batch.contiguous().numpy() for batch, _ in held.batches(how["resolution"], 256)]
    return np.concatenate(seen)


@pytest.mark.parametrize("name", OPENED)
@pytest.mark.parametrize("resolution", [24, 18, 12])
def test_any_kind_of_image(name: str, resolution: int) -> None:
    how = told(Normalisation((0.5, 0.4, 0.3), (0.2, 0.25, 0.3)), 24, resolution)
    decoded = to_array(OPENED[name](), 24)
    expected = by_training(decoded[None].copy(), how)
    np.testing.assert_allclose(infer.prepared(OPENED[name](), how), expected, atol=1e-6)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_every_orientation_is_turned_as_pil_turns_it(orientation: int) -> None:
    how = told(Normalisation((0,) * 3, (1,) * 3), 24, 24)
    opened = saved(Image.fromarray(noise(40, 30)), exif=turned(orientation))
    expected = infer.prepared(ImageOps.exif_transpose(opened()), how)
    assert (infer.prepared(opened(), how) == expected).all()


@pytest.mark.parametrize("mode", ["F", "I"])
def test_pixels_without_a_range_are_refused(mode: str) -> None:
    image = saved(Image.new(mode, (8, 8), 1), "TIFF")()
    assert image.mode == mode
    with pytest.raises(ValueError, match="no agreed range"):
        infer.prepared(image, told(Normalisation((0,) * 3, (1,) * 3), 8, 8))


def refusal(
    file: Path, content: bytes, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> str:
    """What the command says of a file that it cannot classify."""
    file.write_bytes(content)
    how = told(Normalisation((0,) * 3, (1,) * 3), 8, 8)
    monkeypatch.setattr(infer, "_opened", lambda _: (None, how, []))
    monkeypatch.setattr("sys.argv", ["infer.py", str(file)])
    with pytest.raises(SystemExit) as caught:
        infer.main()
    assert caught.value.code == 1
    return capsys.readouterr().err


def test_a_bomb_is_refused_in_a_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "bomb.png"
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    said = refusal(file, png(noise(24, 24)), monkeypatch, capsys)
    assert said.startswith(f"{file}: cannot be classified (Image size (576 pixels) exceeds limit")


def test_a_broken_png_is_refused_in_a_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    file, whole = tmp_path / "broken.png", png(noise(200, 200))
    start, rest = whole.rsplit(b"IDAT", 1)  # of several
    said = refusal(file, start + bytes(4) + rest, monkeypatch, capsys)
    assert said.startswith(f"{file}: cannot be classified (broken PNG file")


def test_a_tag_that_pil_chokes_on_is_refused_in_a_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    file, content = tmp_path / "strange.tif", io.BytesIO()
    tags = TiffImagePlugin.ImageFileDirectory_v2()
    tags[700], tags.tagtype[700] = 5, 3  # a number where XMP's text should be
    Image.fromarray(noise(24, 24)).save(content, "TIFF", tiffinfo=tags)
    said = refusal(file, content.getvalue(), monkeypatch, capsys)
    assert said.startswith(f"{file}: cannot be classified (expected string")


def test_it_takes_for_unreadable_what_a_training_takes_for_it() -> None:
    assert infer.UNREADABLE == UNREADABLE


def check_on(images: list[Callable[[], Image.Image]], decoded: int, resolution: int) -> float:
    """Logits and labels of real images; the share of pixels that were rounded to the next value."""
    arrays = np.stack([to_array(opened(), decoded) for opened in images])
    how = told(Normalisation.of(arrays), decoded, resolution)
    expected = by_training(arrays, how)
    computed = np.concatenate([infer.prepared(opened(), how) for opened in images])
    one_level = 1.01 / (255 * min(how["std"]))
    assert np.abs(expected - computed).max() < one_level
    network = open_session(to_onnx(reference("mobilenet_v2", resolution, small=True).lower(10)))
    logits = [run_session(network, {"image": seen}) for seen in (expected, computed)]
    off = float((np.abs(expected - computed) > 1e-5).mean())
    if off == 0:
        assert np.abs(logits[0] - logits[1]).max() < 1e-4 * np.abs(logits[0]).max()
    assert (logits[0].argmax(axis=1) == logits[1].argmax(axis=1)).all()
    return off


@pytest.mark.parametrize("resolution", [8, 12, 16])
def test_digits(resolution: int) -> None:
    part = mbnas.load_data("digits").decode("validation", 16)
    images = [saved(Image.fromarray(image.transpose(1, 2, 0))) for image in part.images[:DIGITS]]
    assert check_on(images, 16, resolution) == 0


@pytest.mark.skipif(
    not (SAMPLES / "cifar10.zip").exists(), reason="no cifar10.zip in MBNAS_TEST_DATA"
)
@pytest.mark.parametrize(
    ("resolution", "most_off"), [(32, 0), (28, 0), (24, 0), (16, 0), (12, 1e-3)]
)
def test_cifar(resolution: int, most_off: float) -> None:
    with zipfile.ZipFile(SAMPLES / "cifar10.zip") as archive:
        names = sorted(name for name in archive.namelist() if name.endswith(".jpg"))[::600]
        files = [archive.read(name) for name in names]
    images = [lambda held=held: Image.open(io.BytesIO(held)) for held in files]
    assert check_on(images, 32, resolution) <= most_off
