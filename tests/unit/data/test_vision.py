"""torchvision's data sets, from tiny files in torchvision's own formats on disk."""

from __future__ import annotations

import inspect
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torchvision.datasets
from PIL import Image

from mbnas.data import load_data
from mbnas.data.images import to_array
from mbnas.data.sources.vision import PUBLISHED
from mbnas.errors import DataError


def write_idx(path: Path, array: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    header = struct.pack(f">HBB{array.ndim}I", 0, 8, array.ndim, *array.shape)
    path.write_bytes(header + array.astype(np.uint8).tobytes())


def write_mnist(root: Path) -> None:
    for part, count in (("train", 100), ("t10k", 20)):
        labels = np.arange(count) % 10
        images = np.broadcast_to(labels[:, None, None] * 20, (count, 28, 28))
        write_idx(root / f"MNIST/raw/{part}-images-idx3-ubyte", images)
        write_idx(root / f"MNIST/raw/{part}-labels-idx1-ubyte", labels)


def test_mnist_keeps_its_test_part_and_images_meet_their_labels(tmp_path: Path):
    write_mnist(tmp_path)
    data = load_data(f"MNIST:{tmp_path}")
    assert data.sizes == {"train": 80, "validation": 20, "test": 20}
    assert data.classes[0] == "0 - zero"
    assert data.flip is False
    for part in data.sizes:
        decoded = data.decode(part, 14)
        assert decoded.images.shape == (data.sizes[part], 3, 14, 14)
        assert (decoded.images[:, 0, 7, 7] == decoded.labels * 20).all()
    assert data.digest() == load_data(f"mnist:{tmp_path}/").digest()


def test_a_file_cut_short_is_told(tmp_path: Path):
    write_mnist(tmp_path)
    images = tmp_path / "MNIST/raw/train-images-idx3-ubyte"
    images.write_bytes(images.read_bytes()[:-1])
    with pytest.raises(DataError, match=f"torchvision finds no whole MNIST in {tmp_path}; get it"):
        load_data(f"mnist:{tmp_path}")


def test_a_data_set_without_parts_is_dealt_into_three(tmp_path: Path, make_images):
    names = [f"eurosat/2750/{land}/{n}.png" for land in ("Forest", "River") for n in range(10)]
    make_images(tmp_path, names)
    data = load_data(f"eurosat:{tmp_path}")
    assert data.classes == ("Forest", "River")
    assert data.sizes == {"train": 12, "validation": 4, "test": 4}
    assert data.decode("test", 4).images.shape == (4, 3, 4, 4)


def test_three_published_parts_are_kept(tmp_path: Path, make_images):
    texts = tmp_path / "dtd/dtd/labels"
    texts.mkdir(parents=True)
    for part, count in (("train", 4), ("val", 2), ("test", 3)):
        names = [
            f"{kind}/{kind}_{part}{n}.jpg" for kind in ("dotted", "lined") for n in range(count)
        ]
        make_images(tmp_path / "dtd/dtd/images", names)
        (texts / f"{part}1.txt").write_text("\n".join(names))
    data = load_data(f"dtd:{tmp_path}")
    assert data.classes == ("dotted", "lined")
    assert data.sizes == {"train": 8, "validation": 4, "test": 6}
    assert data.decode("validation", 4).labels.tolist() == [0, 0, 1, 1]


def write_dtd(root: Path) -> list[Path]:
    texts = root / "dtd/dtd/labels"
    texts.mkdir(parents=True)
    names = [f"{kind}/{kind}_{n}.jpg" for kind in ("dotted", "lined") for n in range(3)]
    for number, part in enumerate(("train", "val", "test")):
        (texts / f"{part}1.txt").write_text("\n".join(names[number::3]))
    return [root / "dtd/dtd/images" / name for name in names[2::3]]


def write_pets(root: Path) -> list[Path]:
    texts = root / "oxford-iiit-pet/annotations"
    texts.mkdir(parents=True)
    for part, numbers in (("trainval", range(4)), ("test", range(4, 6))):
        lines = [f"{kind}_{n} {at} 1 1" for at, kind in ((1, "pug"), (2, "boxer")) for n in numbers]
        (texts / f"{part}.txt").write_text("\n".join(lines))
    images = root / "oxford-iiit-pet/images"
    return [images / f"{kind}_{n}.jpg" for kind in ("pug", "boxer") for n in (4, 5)]


def write_signs(root: Path) -> list[Path]:
    folder = root / "gtsrb/GTSRB"
    for at in range(2):
        (folder / f"Training/{at:05d}").mkdir(parents=True)
        for n in range(3):
            Image.new("RGB", (4, 4)).save(folder / f"Training/{at:05d}/{n}.ppm")
    (root / "gtsrb/GT-final_test.csv").write_text("Filename;ClassId\n0.ppm;0\n1.ppm;1\n")
    return [folder / f"Final_Test/Images/{n}.ppm" for n in range(2)]


@pytest.mark.parametrize(
    ("name", "write"),
    [("dtd", write_dtd), ("oxfordiiitpet", write_pets), ("gtsrb", write_signs)],
)
def test_files_are_decoded_as_infer_decodes_them(
    name: str, write: Callable[[Path], list[Path]], tmp_path: Path
):
    files = write(tmp_path)
    for number, file in enumerate(files):
        file.parent.mkdir(parents=True, exist_ok=True)
        pixels = np.random.default_rng(number).integers(0, 256, (90, 120, 4), np.uint8)
        # What is called .jpg need not be one, and a PNG may be transparent.
        kind, mode = ("PNG", "RGBA") if number % 2 else ("JPEG", "RGB")
        Image.fromarray(pixels).convert(mode).save(file, kind)
    images = load_data(f"{name}:{tmp_path}").decode("test", 8).images
    for image, file in zip(images, files, strict=True):
        with Image.open(file) as opened:
            assert (image == to_array(opened, 8)).all()


@pytest.mark.parametrize("name", PUBLISHED)
def test_missing_files_tell_how_to_get_them(name: str, tmp_path: Path):
    called = PUBLISHED[name].name
    with pytest.raises(DataError) as caught:
        load_data(f"{name}:{tmp_path}")
    text = str(caught.value)
    assert text.startswith(
        f"{name}:{tmp_path}: torchvision finds no whole {called} in {tmp_path}; "
    )
    call = text.split("get it with ")[1]
    assert call.startswith(f"torchvision.datasets.{called}('{tmp_path}', ")
    assert call.endswith("download=True)")


@pytest.mark.parametrize("name", PUBLISHED)
def test_every_published_data_set_takes_the_arguments_of_its_parts(name: str):
    constructor = getattr(torchvision.datasets, PUBLISHED[name].name)
    for arguments in PUBLISHED[name].arguments.values():
        inspect.signature(constructor).bind("root", **arguments, download=True)
    source = "".join(
        inspect.getsource(kind)
        for kind in constructor.__mro__
        if kind.__module__.startswith("torchvision.datasets")
    )
    for attribute in (PUBLISHED[name].labels, PUBLISHED[name].files or "data"):
        assert f"self.{attribute}" in source


@pytest.mark.parametrize("content", [b"", b"\0\0\x08\xff", b"\0\0\x0d\x01\0\0\0\x64", bytes(200)])
@pytest.mark.parametrize("kind", ["images-idx3", "labels-idx1"])
def test_a_file_of_another_kind_is_told(content: bytes, kind: str, tmp_path: Path):
    write_mnist(tmp_path)
    (tmp_path / f"MNIST/raw/train-{kind}-ubyte").write_bytes(content)
    with pytest.raises(DataError, match=f"mnist:{tmp_path}: "):
        load_data(f"mnist:{tmp_path}")


def test_a_label_beyond_all_classes_is_told(tmp_path: Path):
    write_mnist(tmp_path)
    write_idx(tmp_path / "MNIST/raw/train-labels-idx1-ubyte", np.full(100, 200))
    with pytest.raises(DataError, match=r"is damaged: a label 200 among 10 classes"):
        load_data(f"mnist:{tmp_path}")
