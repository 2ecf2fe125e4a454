"""Which classes are taken for which."""

from __future__ import annotations

import io

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from mbnas.bundle.confusion import confusion_matrix, confusion_picture, confusions


def test_mistakes_are_told_from_frequent_to_rare() -> None:
    labels = np.array([0, 0, 0, 0, 1, 1, 2, 2])
    predicted = np.array([0, 1, 1, 2, 1, 0, 2, 2])
    counts = confusion_matrix(labels, predicted, 3)
    assert counts.tolist() == [[1, 2, 1], [1, 1, 0], [0, 0, 2]]
    assert confusions(counts, ["cat", "dog", "bird"]) == [
        "cat taken for dog: 2 of 4",
        "cat taken for bird: 1 of 4",
        "dog taken for cat: 1 of 2",
    ]
    assert confusions(np.diag([3, 3]), ["cat", "dog"]) == []


def drawn(counts: NDArray[np.int64], names: list[str]) -> Image.Image:
    return Image.open(io.BytesIO(confusion_picture(counts, names)))


@pytest.mark.parametrize("classes", [1, 2, 10, 40, 100, 400])
def test_a_picture_has_a_cell_for_each_pair(classes: int) -> None:
    counts = np.full((classes, classes), 1)
    np.fill_diagonal(counts, 50)
    names = [f"a class with a long name, {number}" for number in range(classes)]
    picture = drawn(counts, names)
    assert max(picture.size) < 1600
    blue = np.asarray(picture.convert("RGB")).astype(int)
    assert (blue[..., 2] - blue[..., 0] > 40).any()


def test_mistakes_are_red() -> None:
    right = np.asarray(drawn(np.diag([5, 5]), ["a", "b"])).astype(int)
    wrong = np.asarray(drawn(np.array([[0, 5], [5, 0]]), ["a", "b"])).astype(int)
    assert (right[..., 0] - right[..., 2]).max() < 20
    assert (wrong[..., 0] - wrong[..., 2]).max() > 100


def test_a_class_without_images_is_drawn() -> None:
    assert drawn(np.array([[4, 0], [0, 0]]), ["there", "日本"]).width > 100
