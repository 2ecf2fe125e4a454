from __future__ import annotations

import io
import struct

import numpy as np
import pytest
from PIL import Image, ImageOps

from mbnas.data.images import to_array

RED, GREEN, BLUE, WHITE = (255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255)
ORIENTATION = 0x0112


def reopened(image: Image.Image, kind: str, **options: object) -> Image.Image:
    buffer = io.BytesIO()
    image.save(buffer, format=kind, **options)
    buffer.seek(0)
    return Image.open(buffer)


def pixel(array: np.ndarray, row: int, column: int) -> tuple[int, ...]:
    return tuple(array[:, row, column].tolist())


def test_colour_keeps_its_place_and_channel_order():
    image = Image.new("RGB", (2, 2), RED)
    image.putpixel((1, 0), BLUE)
    array = to_array(image, 2)
    assert array.shape == (3, 2, 2)
    assert array.dtype == np.uint8
    assert pixel(array, 0, 1) == BLUE
    assert pixel(array, 1, 0) == RED


def test_exif_rotation_is_applied():
    upright = Image.new("RGB", (32, 32), RED)
    upright.paste(BLUE, (0, 0, 32, 16))  # blue above red
    exif = Image.Exif()
    exif[ORIENTATION] = 6  # the camera lay on its side: turn by 90° clockwise to view
    stored = upright.transpose(Image.Transpose.ROTATE_90)
    array = to_array(reopened(stored, "JPEG", exif=exif, quality=95, subsampling=0), 8)
    assert array[2, :3].min() > 200  # blue is above again
    assert array[0, 5:].min() > 200


@pytest.mark.parametrize("orientation", range(1, 9))
def test_every_orientation_is_turned_as_pil_turns_it(orientation: int):
    pixels = np.random.default_rng(orientation).integers(0, 256, (8, 12, 3), np.uint8)
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    opened = reopened(Image.fromarray(pixels), "PNG", exif=exif)
    expected = to_array(ImageOps.exif_transpose(opened.copy()), 8)
    assert (to_array(opened, 8) == expected).all()


def test_a_tag_of_another_type_keeps_no_photo_from_being_turned():
    orientation = struct.pack("<HHIHH", ORIENTATION, 3, 1, 6, 0)
    resolution = struct.pack("<HHI4s", 0x011A, 2, 3, b"72")  # a text where a fraction should be
    directory = struct.pack("<IH", 8, 2) + orientation + resolution + bytes(4)
    stored = Image.fromarray(np.random.default_rng(0).integers(0, 256, (8, 12, 3), np.uint8))
    opened = reopened(stored, "JPEG", exif=b"Exif\0\0II*\0" + directory)
    plain = reopened(stored, "JPEG")
    expected = to_array(plain.transpose(Image.Transpose.ROTATE_270), 8)
    assert (to_array(opened, 8) == expected).all()


def test_alpha_is_laid_on_white():
    image = Image.new("RGBA", (4, 4), (*RED, 0))
    image.putpixel((0, 0), (*GREEN, 255))
    image.putpixel((1, 0), (0, 0, 0, 128))
    array = to_array(reopened(image, "PNG"), 4)
    assert pixel(array, 0, 0) == GREEN
    assert pixel(array, 0, 1) == (127, 127, 127)
    assert pixel(array, 3, 3) == WHITE


def test_palette_with_and_without_transparency():
    image = Image.new("P", (2, 2), 1)
    image.putpalette([*RED, *GREEN, *BLUE])
    image.putpixel((0, 0), 2)
    assert pixel(to_array(reopened(image, "PNG"), 2), 1, 1) == GREEN
    see_through = to_array(reopened(image, "PNG", transparency=1), 2)
    assert pixel(see_through, 1, 1) == WHITE
    assert pixel(see_through, 0, 0) == BLUE


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_sixteen_bit_grey_keeps_its_brightness(kind: str):
    values = np.array([[0, 0x4000], [0x8000, 0xFFFF]], dtype=np.uint16)
    image = reopened(Image.fromarray(values), kind)
    assert to_array(image, 2).tolist() == [[[0, 64], [128, 255]]] * 3


def test_eight_bit_grey_and_black_and_white_are_repeated():
    grey = Image.new("L", (3, 3), 77)
    assert to_array(reopened(grey, "PNG"), 3).tolist() == np.full((3, 3, 3), 77).tolist()
    assert to_array(reopened(Image.new("1", (3, 3), 1), "PNG"), 3).min() == 255


def test_cmyk_becomes_its_colour():
    cyan = Image.new("CMYK", (16, 16), (255, 0, 0, 0))
    array = to_array(reopened(cyan, "JPEG", quality=95), 16).astype(int)
    assert array[0].max() < 10
    assert array[1:].min() > 245


@pytest.mark.parametrize("size", [(30, 10), (10, 30)])
def test_the_centre_square_is_kept(size: tuple[int, int]):
    image = Image.new("RGB", size, RED)
    left, top = (size[0] - 10) // 2, (size[1] - 10) // 2
    image.paste(GREEN, (left, top, left + 10, top + 10))
    array = to_array(image, 10)
    assert (array == np.array(GREEN).reshape(3, 1, 1)).all()


def test_shrinking_averages_instead_of_skipping():
    stripes = np.zeros((64, 64), dtype=np.uint8)
    stripes[:, ::2] = 255
    array = to_array(Image.fromarray(stripes), 8)
    assert abs(array.astype(int) - 127).max() <= 6


def test_a_large_jpeg_decodes_to_what_its_full_size_would_give():
    ramp = np.linspace(0, 255, 512, dtype=np.uint8)
    picture = Image.fromarray(np.stack([np.tile(ramp, (512, 1))] * 3, axis=-1))
    array = to_array(reopened(picture, "JPEG", quality=95), 16).astype(int)
    assert abs(array - to_array(picture, 16)).max() <= 4


def test_small_images_grow():
    assert (to_array(Image.new("L", (8, 8), 9), 32) == 9).all()


def test_sixteen_bit_grey_that_pil_widens_keeps_its_brightness():
    values = np.array([[0, 0x4000], [0x8000, 0xFFFF]], dtype=np.uint16)
    opened = reopened(Image.fromarray(values), "PPM")
    assert opened.mode == "I"
    assert to_array(opened, 2).tolist() == [[[0, 64], [128, 255]]] * 3


@pytest.mark.parametrize("mode", ["F", "I"])
def test_pixels_without_a_range_are_refused(mode: str):
    image = reopened(Image.new(mode, (2, 2), 1), "TIFF")
    assert image.mode == mode
    with pytest.raises(ValueError, match="no agreed range"):
        to_array(image, 2)
