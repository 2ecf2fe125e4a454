"""Recipes: what they allow, what they choose, and the files they come from."""

from __future__ import annotations

import math
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mbnas.errors import BuildError
from mbnas.training.recipe import Recipe
from mbnas.training.recipe_file import load_recipe


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("epochs", 0, "at least 1"),
        ("epochs", 2.5, "whole number"),
        ("batch_size", -1, "at least 0"),
        ("learning_rate", 0.0, "above 0"),
        ("learning_rate", math.nan, "above 0"),
        ("warm_up", 1.0, "below 1"),
        ("optimizer", "sdg", 'did you mean "sgd"'),
        ("decay", "step", "linear, cosine"),
        ("flip", 1, "true or false"),
        ("precision", "float16", "bfloat16"),
        ("rungs", [3, 2], "rise"),
        ("rungs", 3, "list of epochs"),
        ("rungs", [9], "beyond the last epoch"),
        ("ema", 1, "below 1"),
    ],
)
def test_a_recipe_that_cannot_be_names_its_field(field: str, value: object, words: str) -> None:
    with pytest.raises(BuildError, match=f"^{field} = ") as caught:
        Recipe(**{field: value})  # type: ignore[arg-type]
    assert words in str(caught.value)


@given(images=st.integers(1, 2_000_000))
def test_batch_size_fits_the_data(images: int) -> None:
    size = Recipe().batch_size_for(images)
    assert 1 <= size <= min(images, 256)
    if images >= 32:
        assert size >= 32
    if 32 * 80 <= images <= 256 * 80:
        assert 56 <= images // size <= 114


@given(
    steps=st.integers(2, 500),
    warm_up=st.floats(0, 0.9),
    decay=st.sampled_from(["linear", "cosine"]),
    optimizer=st.sampled_from(["sgd", "adamw"]),
)
def test_rate_rises_to_its_peak_and_falls(
    steps: int, warm_up: float, decay: str, optimizer: str
) -> None:
    recipe = Recipe(warm_up=warm_up, decay=decay, optimizer=optimizer)  # type: ignore[arg-type]
    rates = [recipe.rate_at(step, steps, 256) for step in range(steps)]
    top = rates.index(max(rates))
    assert rates[: top + 1] == sorted(rates[: top + 1])
    assert rates[top:] == sorted(rates[top:], reverse=True)
    assert all(0 < rate <= recipe.peak_rate * (1 + 1e-9) for rate in rates)


def test_the_rate_goes_with_the_batch_in_proportion_or_by_its_root() -> None:
    for optimizer, factor in (("sgd", 0.25), ("adamw", 0.5)):
        recipe = Recipe(optimizer=optimizer)  # type: ignore[arg-type]
        peaks = [max(recipe.rate_at(at, 100, size) for at in range(100)) for size in (64, 256)]
        assert peaks[0] == pytest.approx(factor * peaks[1])


@given(epochs=st.integers(1, 200))
def test_a_training_stops_at_its_rungs_and_at_its_end(epochs: int) -> None:
    stops = Recipe(epochs=epochs).stops
    assert stops[-1] == epochs
    assert list(stops) == sorted(set(stops))
    assert stops[0] >= 1


def test_rungs_that_are_given_are_kept_and_fall_away_with_the_epochs() -> None:
    recipe = Recipe(epochs=12, rungs=(2, 6, 10))
    assert recipe.stops == (2, 6, 10, 12)
    assert recipe.with_epochs(6).stops == (2, 6)


def test_few_images_are_seen_more_often_and_large_ones_in_small_batches() -> None:
    assert Recipe.for_images(50_000, 32) == Recipe(batch_size=256)
    assert Recipe.for_images(5_400, 16).batch_size == 64, "settled, so that a study keeps it"
    assert Recipe.for_images(1_000, 8).epochs > Recipe().epochs
    assert Recipe.for_images(50_000, 224).batch_size == 64
    assert Recipe.for_images(1_000, 8, epochs=3).epochs == 3


def test_a_file_says_what_it_wants_different(tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text('[recipe]\nepochs = 12\nrungs = [3, 6]\noptimizer = "adamw"\nmixup = 0.2\n')
    expected = Recipe(epochs=12, rungs=(3, 6), optimizer="adamw", mixup=0.2)
    assert load_recipe(file) == expected


def test_a_files_byte_order_mark_is_none_of_its_text(tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text("[recipe]\nepochs = 12\n", encoding="utf-8-sig")
    assert load_recipe(file) == Recipe(epochs=12)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("epochs = 3", 'unknown key "epochs"'),
        ("[recipe]", "no table"),
        ("[recipe]\nepoch = 3", 'unknown key "epoch"; did you mean "epochs"'),
        ("[recipe]\nepochs = 0", "recipe.epochs = 0: must be"),
        ("[recipe", "not TOML"),
        ("recipe = " + "[" * 10_000, "not TOML: lists or tables too deep"),
        ("recipe = { " + "a." * 10_000 + "b = 1 }", "not TOML: a key of more than 100 parts"),
    ],
)
def test_a_fault_in_a_file_is_told_with_its_place(tmp_path: Path, text: str, words: str) -> None:
    file = tmp_path / "mine.toml"
    file.write_text(text)
    with pytest.raises(BuildError) as caught:
        load_recipe(file)
    assert str(caught.value).startswith(str(file))
    assert words in str(caught.value)


def test_a_file_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(BuildError, match=r"none.toml: cannot be read"):
        load_recipe(tmp_path / "none.toml")


def test_a_recipe_is_not_read_from_what_may_never_end(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for place in (tmp_path / "pipe", Path("/dev/zero")):
        with pytest.raises(BuildError, match=f"{place}: not a file"):
            load_recipe(place)
