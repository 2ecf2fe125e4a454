"""Tiny made-up image folders."""

from __future__ import annotations

import itertools
import zipfile
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest
from PIL import Image

MakeImages = Callable[[Path, Iterable[str]], Path]


@pytest.fixture
def make_images() -> MakeImages:
    """Writes PNG files under a root, each of its own colour."""
    colours = ((red, green, 7) for red, green in itertools.product(range(256), repeat=2))

    def make(root: Path, names: Iterable[str]) -> Path:
        for name in names:
            file = root / name
            file.parent.mkdir(parents=True, exist_ok=True)
            Image.new("RGB", (6, 4), next(colours)).save(file, format="PNG")
        return root

    return make


@pytest.fixture
def photos(tmp_path: Path, make_images: MakeImages) -> Path:
    """Two classes of ten images each, not yet in parts."""
    names = [f"{animal}/{number}.png" for animal in ("cat", "dog") for number in range(10)]
    return make_images(tmp_path / "photos", names)


@pytest.fixture
def parted(tmp_path: Path, make_images: MakeImages) -> Path:
    """Two classes, ten images each in train/ and four in test/."""
    names = [
        f"{part}/{animal}/{number}.png"
        for part, count in (("train", 10), ("test", 4))
        for animal in ("cat", "dog")
        for number in range(count)
    ]
    return make_images(tmp_path / "parted", names)


@pytest.fixture
def zip_folder() -> Callable[..., Path]:
    """Packs a folder file by file, without entries for its folders."""

    def pack(root: Path, archive: Path, *, prefix: str = "", backwards: bool = False) -> Path:
        files = sorted((file for file in root.rglob("*") if file.is_file()), reverse=backwards)
        with zipfile.ZipFile(archive, "w") as packed:
            for file in files:
                packed.write(file, prefix + file.relative_to(root).as_posix())
        return archive

    return pack
