"""What a user may write for data, and its options."""

from __future__ import annotations

from pathlib import Path

import pytest

from mbnas.data import load_data
from mbnas.errors import DataError


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"seed": -1}, "seed -1; it must be a whole number of at least 0"),
        ({"seed": 1.5}, "seed 1.5; it must be a whole number of at least 0"),
        ({"subset": 10.5}, "subset 10.5; it must be a whole number of at least 1"),
        ({"subset": "ten"}, 'subset "ten"; it must be a whole number of at least 1'),
        ({"validation": 0}, "validation 0 and test 0.2; they must be fractions"),
        ({"validation": 0.5, "test": 0.5}, "validation 0.5 and test 0.5; they must be fractions"),
        ({"subset": 17}, "a subset of 17 images; it must be at least 4"),
    ],
)
def test_options_that_cannot_be(photos: Path, options, message):
    with pytest.raises(DataError, match=message):
        load_data(f"folder:{photos}", **options)


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("cifr10:data", "cifr10:data: no data source 'cifr10'; did you mean cifar10?"),
        ("diggits", "diggits: no data source 'diggits'; did you mean digits?"),
        (
            "qqq:data",
            r"'qqq'; write one of these \(there are digits, folder:PATH and, as NAME:ROOT, c",
        ),
        ("folder:", "folder:: no path; write folder:PATH"),
        ("CIFAR10", "CIFAR10: no path; write cifar10:ROOT"),
        ("digits:here", "digits:here: digits takes no path; write digits"),
    ],
)
def test_an_unknown_spec_names_what_there_is(spec, message):
    with pytest.raises(DataError, match=message):
        load_data(spec)


def test_a_bare_path_gets_the_hint(photos: Path):
    with pytest.raises(DataError, match=f"in that place write folder:{photos}"):
        load_data(str(photos))


def test_a_path_is_a_folder_or_a_zip(photos: Path, tmp_path: Path, zip_folder):
    expected = load_data(f"folder:{photos}")
    data = load_data(photos)
    assert (data.spec, data.digest()) == (expected.spec, expected.digest())
    assert load_data(zip_folder(photos, tmp_path / "photos.zip")).digest() == expected.digest()


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ("folder:~nobody-of-that-name/photos", "nobody of that name has a home here"),
        ("~nobody-of-that-name/photos", "no data source"),
        ("folder:" + "x" * 5000, "cannot be listed"),
        ("x" * 5000, "no data source"),
    ],
)
def test_paths_that_cannot_be(spec: str, words: str):
    with pytest.raises(DataError, match=words):
        load_data(spec)
