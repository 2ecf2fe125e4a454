from __future__ import annotations

import io
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import psutil
import pytest
from PIL import Image, TiffImagePlugin, features

import mbnas.data.dataset
from mbnas.data import load_data
from mbnas.errors import DataError

SAMPLES = Path(
    os.environ.get("MBNAS_TEST_DATA", Path(__file__).parents[4] / "shared" / "data")
).resolve()


def test_digits_are_the_real_ones():
    data = load_data("digits")
    assert data.spec == "digits"
    assert data.classes == tuple("0123456789")
    assert (data.flip, data.crop) == (False, False)
    assert data.sizes == {"train": 1079, "validation": 359, "test": 359}
    train = data.decode("train", 8)
    assert train.images.shape == (1079, 3, 8, 8)
    assert (train.images.dtype, train.labels.dtype) == (np.uint8, np.int64)
    assert train.images.min() == 0
    assert train.images.max() == 255
    assert (train.images[:, 0] == train.images[:, 2]).all()
    # The middle of a 0 is empty and that of a 1 is not.
    middle = train.images[:, 0, 3:5, 3:5].mean(axis=(1, 2))
    assert middle[train.labels == 0].mean() < 30 < 180 < middle[train.labels == 1].mean()


def test_digits_pixels_are_scaled_from_16():
    from sklearn.datasets import load_digits

    data = load_data("digits")
    first = data.parts["test"][0]
    expected = np.rint(load_digits().images[first] * 255 / 16)
    assert data.decode("test", 8).images[0, 1].tolist() == expected.tolist()


def test_digits_grow_to_the_resolution():
    images = load_data("digits", subset=40).decode("train", 12).images
    assert images.shape == (30, 3, 12, 12)


def test_images_and_labels_belong_together(photos: Path):
    data = load_data(f"folder:{photos}")
    seen = set()
    for part in ("train", "validation", "test"):
        decoded = data.decode(part, 4)
        for row, index in enumerate(data.parts[part]):
            name = data.source.names[index]
            seen.add(name)
            with Image.open(photos / name) as image:
                assert decoded.images[row, :, 0, 0].tolist() == list(image.getpixel((0, 0)))
            assert data.classes[decoded.labels[row]] == name.split("/")[0]
    assert len(seen) == 20


def test_many_threads_put_every_image_in_its_row(photos: Path, monkeypatch: pytest.MonkeyPatch):
    data = load_data(f"folder:{photos}")
    expected = data.decode("train", 4)
    monkeypatch.setattr(mbnas.data.dataset, "SMALL", 0)
    monkeypatch.setattr(mbnas.data.dataset, "CHUNK", 1)
    assert (data.decode("train", 4).images == expected.images).all()


def test_progress_counts_up_to_all():
    calls: list[tuple[int, int]] = []
    load_data("digits").decode("test", 8, lambda done, total: calls.append((done, total)))
    assert calls[-1] == (359, 359)
    assert calls == sorted(calls)
    assert len(calls) > 3


def test_unreadable_images_are_all_counted_and_five_named(photos: Path):
    for number in range(7):
        (photos / f"cat/bad{number}.jpg").write_bytes(f"no image {number}".encode())
    whole = (photos / "dog/0.png").read_bytes()
    (photos / "dog/0.png").write_bytes(whole[: len(whole) // 2])
    data = load_data(f"folder:{photos}")
    messages = []
    for part in ("train", "validation", "test"):
        try:
            data.decode(part, 4)
        except DataError as fault:
            messages.append(str(fault))
    assert all(message.startswith(f"folder:{photos}: ") for message in messages)
    assert sum(int(message.split(": ")[1].split()[0]) for message in messages) == 8
    most = max(messages, key=len)
    assert "images of train cannot be read: cat/bad" in most
    assert "(cannot identify image file)" in most
    assert "\n" not in most
    assert most.endswith("; replace or delete them")


@pytest.mark.skipif(not features.check("avif"), reason="Pillow was built without AVIF")
def test_a_damaged_avif_is_named(photos: Path):
    # Its decoder says so by a RuntimeError, one while it is opened and one while it is read.
    content = io.BytesIO()
    Image.effect_noise((16, 16), 90).convert("RGB").save(content, "AVIF")
    whole = content.getvalue()
    (photos / "cat/unopened.avif").write_bytes(whole.replace(b"av1C", b"avXC"))
    (photos / "cat/unread.avif").write_bytes(whole[: len(whole) // 2] + bytes(len(whole) // 2))
    data = load_data(f"folder:{photos}")
    named = []
    for part in ("train", "validation", "test"):
        try:
            data.decode(part, 4)
        except DataError as fault:
            named.append(str(fault))
    assert "cat/unopened.avif (Failed to decode image" in " ".join(named)
    assert "cat/unread.avif (" in " ".join(named)


def test_a_tag_that_pil_chokes_on_is_named(photos: Path):
    tags = TiffImagePlugin.ImageFileDirectory_v2()
    tags[700], tags.tagtype[700] = 5, 3  # a number where XMP's text should be
    for number in range(10):
        (photos / f"cat/{number}.png").unlink()
        Image.new("RGB", (6, 4), (number, 0, 0)).save(photos / f"cat/{number}.tif", tiffinfo=tags)
    with pytest.raises(
        DataError, match=r"6 images of train cannot be read: cat/\d\.tif \(expected"
    ):
        load_data(f"folder:{photos}").decode("train", 4)


def test_more_than_five_unreadable_images_are_cut_short(photos: Path):
    for number in range(10):
        (photos / f"cat/{number}.png").write_bytes(f"no image {number}".encode())
    with pytest.raises(DataError, match=r"6 images of train cannot be read: .* and 1 more; rep"):
        load_data(f"folder:{photos}").decode("train", 4)


def test_a_file_lost_after_loading_is_named(photos: Path):
    data = load_data(f"folder:{photos}")
    name = data.source.names[data.parts["test"][0]]
    (photos / name).unlink()
    with pytest.raises(DataError, match=f"1 image of test cannot be read: {name} "):
        data.decode("test", 4)


def test_what_does_not_fit_in_memory_is_refused_with_the_figures(
    photos: Path, monkeypatch: pytest.MonkeyPatch
):
    memory = SimpleNamespace(available=2**30)
    monkeypatch.setattr(psutil, "virtual_memory", lambda: memory)
    data = load_data(f"folder:{photos}")
    with pytest.raises(
        DataError,
        match=r"the train part, 12 images at resolution 10000, needs "
        r"3\.4 GiB of memory and 1\.0 GiB are available",
    ):
        data.decode("train", 10_000)
    memory.available = 100 * 2**30
    data.decode("train", 4)


@pytest.mark.parametrize(
    ("part", "resolution", "message"),
    [
        ("holdout", 8, "digits: no part 'holdout'; there are train, validation, test"),
        ("train", 0, "digits: resolution 0; it must be at least 1"),
    ],
)
def test_decode_refuses_what_cannot_be(part, resolution, message):
    with pytest.raises(DataError, match=message):
        load_data("digits").decode(part, resolution)


def test_an_empty_test_part_decodes_to_nothing():
    test = load_data("digits", test=0).decode("test", 8)
    assert test.images.shape == (0, 3, 8, 8)
    assert test.labels.shape == (0,)


def test_digest_changes_with_what_stands_where(photos: Path, make_images):
    spec = f"folder:{photos}"
    first = load_data(spec).digest()
    assert first == load_data(spec).digest()
    others = {
        load_data(spec, seed=1).digest(),
        load_data(spec, subset=10).digest(),
        load_data(spec, validation=0.3).digest(),
    }
    (photos / "cat").rename(photos / "cow")
    others.add(load_data(spec).digest())
    make_images(photos, ["dog/new.png"])
    others.add(load_data(spec).digest())
    assert len({first} | others) == 6


def test_importing_the_room_loads_no_torch():
    code = "import sys, mbnas.data; print([m for m in ('torch', 'sklearn') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.skipif(
    not (SAMPLES / "cifar10.zip").exists(), reason="no cifar10.zip in MBNAS_TEST_DATA"
)
def test_the_real_cifar10():
    data = load_data(f"folder:{SAMPLES / 'cifar10.zip'}", subset=200)
    assert data.sizes == {"train": 160, "validation": 40, "test": 10_000}
    assert data.classes[:3] == ("airplane", "automobile", "bird")
    assert data.duplicates == ()
    train = data.decode("train", 32)
    assert train.images.shape == (160, 3, 32, 32)
    assert np.bincount(train.labels).tolist() == [16] * 10
    mean = train.images.mean(axis=(0, 2, 3)) / 255
    assert np.abs(mean - [0.491, 0.482, 0.447]).max() < 0.04
