"""The recipe, the batches and the trainer's failures."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from helpers import Images, some_architectures, stripes, tiny_space
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from PIL.Image import Resampling

from mbnas.errors import BuildError
from mbnas.measure.images import ImageTensors, Normalisation
from mbnas.measure.recipe import Recipe
from mbnas.measure.training import NonFiniteLossError, TorchTrainer
from mbnas.network import Architecture


def trainer(recipe: Recipe | None = None) -> TorchTrainer:
    return TorchTrainer(
        stripes(640),
        stripes(160, seed=1),
        2,
        recipe or Recipe(epochs=4),
        flip=True,
        crop=True,
        device="cpu",
    )


def network(dropout: float = 0.0) -> Architecture:
    return some_architectures(tiny_space(head={"dropout": dropout}), 1)[0]


def test_a_network_learns_stripes() -> None:
    assert trainer().train(network(), 0, lambda _: None).accuracy >= 0.95


def test_training_leaves_torchs_generator_and_threads_alone() -> None:
    torch.manual_seed(5)
    expected = torch.rand(1)
    torch.manual_seed(5)
    threads = torch.get_num_threads()
    trainer(Recipe(epochs=1)).train(network(dropout=0.5), 0, lambda _: None)
    assert torch.equal(torch.rand(1), expected)
    assert torch.get_num_threads() == threads


def test_another_seed_gives_another_result() -> None:
    first, second = (
        trainer(Recipe(epochs=1)).train(network(), seed, lambda _: None) for seed in (0, 1)
    )
    assert first.curve[0].loss != second.curve[0].loss


def test_a_loss_that_is_no_number_fails_the_trial_with_its_reason() -> None:
    with pytest.raises(NonFiniteLossError, match=r"epoch 1.*nan"):
        trainer(Recipe(epochs=2, learning_rate=1e30)).train(network(), 0, lambda _: None)


def test_a_device_that_is_not_there_is_said() -> None:
    part = stripes(64)
    with pytest.raises(BuildError, match='device "warp"'):
        TorchTrainer(part, part, 2, Recipe(), flip=True, crop=True, device="warp")


@pytest.mark.parametrize(
    ("field", "value"),
    [("epochs", 0), ("batch_size", -1), ("learning_rate", 0.0), ("warm_up", 1.0)],
)
def test_a_recipe_that_cannot_be_names_its_field(field: str, value: float) -> None:
    with pytest.raises(BuildError, match=f"{field} = "):
        Recipe(**{field: value})  # type: ignore[arg-type]


@given(images=st.integers(1, 2_000_000))
def test_batch_size_fits_the_data(images: int) -> None:
    size = Recipe().batch_size_for(images)
    assert 1 <= size <= min(images, 256)
    if images >= 32:
        assert size >= 32


@given(steps=st.integers(2, 500), warm_up=st.floats(0, 0.9))
def test_rate_rises_to_its_peak_and_falls(steps: int, warm_up: float) -> None:
    recipe = Recipe(warm_up=warm_up)
    rates = [recipe.rate_at(step, steps, 256) for step in range(steps)]
    top = rates.index(max(rates))
    assert rates[: top + 1] == sorted(rates[: top + 1])
    assert rates[top:] == sorted(rates[top:], reverse=True)
    assert all(0 < rate <= recipe.learning_rate * (1 + 1e-9) for rate in rates)


def tensors(part: Images) -> ImageTensors:
    return ImageTensors(part, Normalisation.of(part.images), torch.device("cpu"))


def test_normalisation_is_that_of_the_pixels() -> None:
    images = np.random.default_rng(0).integers(0, 256, (700, 3, 5, 4)).astype(np.uint8)
    images[:, 1] //= 3
    normalisation = Normalisation.of(images)
    assert normalisation.mean == pytest.approx(images.mean((0, 2, 3)) / 255)
    assert normalisation.std == pytest.approx(images.std((0, 2, 3)) / 255)


def test_normalised_images_have_mean_zero_and_deviation_one() -> None:
    rng = np.random.default_rng(0)
    spread = np.array([20, 60, 120])[None, :, None, None]
    images = (rng.random((50, 3, 8, 8)) * spread + 60).astype(np.uint8)
    part = Images(images, np.zeros(50, np.int64))
    (batch, _), *_ = tensors(part).batches(8, 50)
    assert batch.shape == (50, 3, 8, 8)
    assert batch.is_contiguous(memory_format=torch.channels_last)
    torch.testing.assert_close(batch.mean((0, 2, 3)), torch.zeros(3), atol=1e-4, rtol=0)
    torch.testing.assert_close(batch.std((0, 2, 3)), torch.ones(3), atol=1e-2, rtol=0)


def numbered(count: int, size: int) -> Images:
    """Images in which every pixel is different and says where it stood."""
    rows, columns = np.mgrid[:size, :size]
    one = (rows * size + columns).astype(np.uint8)
    return Images(np.broadcast_to(one, (count, 3, size, size)).copy(), np.arange(count))


def test_augmentation_shifts_by_an_eighth_at_most_and_mirrors() -> None:
    size = 16
    part = numbered(400, size)
    one = part.images[0, 0].astype(int)
    normalisation = Normalisation((0.0,) * 3, (1.0,) * 3)
    data = ImageTensors(part, normalisation, torch.device("cpu"))
    draws = torch.Generator().manual_seed(0)
    seen = set()
    for images, _ in data.shuffled(size, 100, draws, flip=True, crop=True):
        for image in (images[:, 0] * 255).round().int().numpy():
            for mirrored in (False, True):
                plain = image[:, ::-1] if mirrored else image
                middle = plain[size // 2, size // 2]
                down, right = divmod(int(middle), size)
                shift = (down - size // 2, right - size // 2)
                rows = (np.arange(size) + shift[0]).clip(0, size - 1)
                columns = (np.arange(size) + shift[1]).clip(0, size - 1)
                if np.array_equal(plain, one[np.ix_(rows, columns)]):
                    seen.add((shift, mirrored))
                    break
            else:
                pytest.fail("an image that is no shifted or mirrored one")
    shifts = {shift for shift, _ in seen}
    assert {abs(step) for shift in shifts for step in shift} == {0, 1, 2}
    assert {mirrored for _, mirrored in seen} == {False, True}


def test_an_epoch_shows_every_image_once_and_may_leave_it_alone() -> None:
    part = numbered(64, 8)
    draws = torch.Generator().manual_seed(0)
    labels = []
    for images, chosen in tensors(part).shuffled(8, 16, draws, flip=False, crop=False):
        assert bool((images == images[0]).all())  # all alike, so none was moved
        labels += chosen.tolist()
    assert sorted(labels) == list(range(64))


def test_a_smaller_resolution_is_resized_from_the_decoded_one() -> None:
    part = stripes(10, resolution=16)
    small = tensors(part).at(8)
    assert small.shape == (10, 8, 8, 3)
    assert small.dtype == torch.uint8
    for image, original in zip(small.numpy(), part.images, strict=True):
        expected = Image.fromarray(np.moveaxis(original, 0, -1)).resize((8, 8), Resampling.BILINEAR)
        assert np.abs(image.astype(int) - np.asarray(expected)).max() <= 1
