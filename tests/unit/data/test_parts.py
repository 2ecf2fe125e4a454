"""Laws of the split, on made-up sources."""

from __future__ import annotations

import zipfile

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mbnas.data.duplicates import find_twins, shared_images
from mbnas.data.parts import split, take_subset
from mbnas.data.source import PARTS, Source
from mbnas.errors import DataError


def made_up(labels: list[int], twins: list[int] | None = None, **given_parts: list[int]) -> Source:
    classes = max(labels) + 1
    parts = given_parts or {"train": list(range(len(labels)))}
    return Source(
        spec="made:up",
        classes=tuple(f"class{label}" for label in range(classes)),
        names=tuple(f"image{index}" for index in range(len(labels))),
        labels=np.array(labels, dtype=np.int64),
        twins=np.array(range(len(labels)) if twins is None else twins, dtype=np.int64),
        given={name: np.array(members, dtype=np.int64) for name, members in parts.items()},
        flip=True,
        crop=True,
        opened=lambda: pytest.fail("splitting opens no image"),
    )


class_sizes = st.lists(st.integers(3, 40), min_size=2, max_size=5)
seeds = st.integers(0, 2**32)
fractions = st.floats(0.05, 0.45)


def spread(sizes: list[int]) -> list[int]:
    return [label for label, size in enumerate(sizes) for _ in range(size)]


@given(class_sizes, seeds, fractions, fractions)
def test_parts_are_disjoint_complete_and_stratified(sizes, seed, validation, test):
    source = made_up(spread(sizes))
    parts = split(source, seed=seed, validation=validation, test=test)
    together = np.concatenate([parts[part] for part in PARTS])
    assert sorted(together.tolist()) == list(range(len(source.names)))
    for label, size in enumerate(sizes):
        for part, fraction in (("validation", validation), ("test", test)):
            count = int((source.labels[parts[part]] == label).sum())
            assert count >= 1
            assert abs(count - size * fraction) <= 1
        assert (source.labels[parts["train"]] == label).any()


@given(class_sizes, seeds)
def test_a_seed_deals_one_way(sizes, seed):
    source = made_up(spread(sizes))
    one, other = (split(source, seed=seed, validation=0.2, test=0.2) for _ in range(2))
    assert all(np.array_equal(one[part], other[part]) for part in PARTS)


def test_seeds_deal_differently():
    source = made_up(spread([30, 30]))
    dealt = {tuple(split(source, seed=seed, validation=0.2, test=0.2)["test"]) for seed in range(9)}
    assert len(dealt) == 9


@given(st.lists(st.integers(0, 12), min_size=20, max_size=60), seeds)
def test_copies_of_a_file_stay_in_one_part(groups, seed):
    # Two classes whose copies never meet, each with some files that are alone.
    labels = [group % 2 for group in groups] + [0, 0, 0, 1, 1, 1]
    twins = [*groups, *range(100, 106)]
    source = made_up(labels, twins)
    parts = split(source, seed=seed, validation=0.25, test=0.25)
    homes = [{twins[index] for index in parts[part]} for part in PARTS]
    assert sum(map(len, homes)) == len(set.union(*homes))
    assert shared_images(source, parts) == ()


def test_given_parts_are_kept_and_only_the_missing_ones_taken_from_train():
    source = made_up([0, 1] * 10, train=list(range(16)), test=[16, 17, 18, 19])
    parts = split(source, seed=1, validation=0.25, test=0.5)
    assert parts["test"].tolist() == [16, 17, 18, 19]
    assert len(parts["validation"]) == 4
    assert sorted([*parts["train"], *parts["validation"]]) == list(range(16))


def test_no_test_part_where_none_is_wanted():
    parts = split(made_up(spread([5, 5])), seed=0, validation=0.2, test=0)
    assert {part: len(parts[part]) for part in PARTS} == {"train": 8, "validation": 2, "test": 0}


def test_a_class_too_small_is_named_with_what_it_needs():
    with pytest.raises(
        DataError,
        match="made:up: class 'class1' has 2 distinct images in train; "
        "it needs at least 3, one for each of train, test, validation",
    ):
        split(made_up([0, 0, 0, 1, 1]), seed=0, validation=0.2, test=0.2)


def test_copies_do_not_count_as_images():
    with pytest.raises(DataError, match="class 'class1' has 1 distinct image in train; it needs"):
        split(made_up([0, 0, 0, 1, 1, 1], [0, 1, 2, 3, 3, 3]), seed=0, validation=0.2, test=0.2)


@pytest.mark.parametrize("part", ["train", "test", "validation"])
def test_a_class_missing_from_a_given_part_is_named(part):
    given_parts = {"train": [0, 1, 2, 3], "test": [4, 5], "validation": [6, 7]}
    given_parts[part] = [index for index in given_parts[part] if index % 2 == 0]
    with pytest.raises(DataError, match=f"made:up: class 'class1' has no image in {part}; add"):
        split(made_up([0, 1] * 4, **given_parts), seed=0, validation=0.2, test=0.2)


@given(class_sizes, seeds, st.data())
def test_a_subset_has_its_size_and_keeps_the_shares(sizes, seed, data):
    source = made_up(spread(sizes))
    parts = split(source, seed=seed, validation=0.3, test=0.2)
    total = len(parts["train"]) + len(parts["validation"])
    size = data.draw(st.integers(2 * len(sizes), total))
    kept = take_subset(source, parts, size=size, seed=seed)
    assert np.array_equal(kept["test"], parts["test"])
    assert len(kept["train"]) + len(kept["validation"]) == size
    for part in ("train", "validation"):
        assert set(kept[part]) <= set(parts[part])
        assert set(source.labels[kept[part]]) == set(range(len(sizes)))
    again = take_subset(source, parts, size=size, seed=seed)
    assert all(np.array_equal(kept[part], again[part]) for part in PARTS)


def test_a_subset_is_stratified_within_one_image():
    source = made_up(spread([100, 50, 50]))
    parts = split(source, seed=0, validation=0.2, test=0)
    kept = take_subset(source, parts, size=101, seed=0)
    for part, share in (("train", 0.8), ("validation", 0.2)):
        counts = np.bincount(source.labels[kept[part]])
        assert np.abs(counts - 101 * share * np.array([0.5, 0.25, 0.25])).max() <= 1


@pytest.mark.parametrize("size", [3, 9])
def test_a_subset_that_cannot_be_is_refused(size):
    source = made_up(spread([5, 5]))
    parts = split(source, seed=0, validation=0.2, test=0.2)
    with pytest.raises(
        DataError,
        match=rf"made:up: a subset of {size} images; it must be at "
        r"least 4, one of each class in train and in validation, and at most 8",
    ):
        take_subset(source, parts, size=size, seed=0)


def test_few_shared_images_are_told_and_many_refused():
    labels = [0, 1] * 300
    parts = {
        "train": list(range(400)),
        "validation": list(range(400, 500)),
        "test": list(range(500, 600)),
    }
    twins = list(range(600))
    twins[500] = twins[0]
    source = made_up(labels, twins, **parts)
    assert shared_images(source, dict(source.given)) == (("image0", "image500"),)
    twins[400] = twins[402] = twins[0]
    source = made_up(labels, twins, **parts)
    with pytest.raises(
        DataError,
        match="made:up: 2 of 100 images of validation stand in another "
        "part too: image0 = image400, image0 = image402, image0 = image500; delete",
    ):
        shared_images(source, dict(source.given))


def test_unreadable_files_are_left_to_decoding():
    def reading(index: int) -> bytes:
        raise zipfile.BadZipFile(f"Bad CRC-32 for file {index}")

    assert find_twins([5, 5], reading).tolist() == [0, 1]


def test_twins_are_equal_bytes_and_only_meeting_marks_are_read():
    files = [b"one", b"two", b"one", b"three"]
    read: list[int] = []

    def reading(index: int) -> bytes:
        read.append(index)
        return files[index]

    assert find_twins([len(file) for file in files], reading).tolist() == [0, 1, 0, 3]
    assert 3 not in read
