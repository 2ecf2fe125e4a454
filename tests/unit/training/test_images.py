"""Images on the device, and what is done to them on their way into a network."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from helpers import Images, stripes
from PIL import Image
from PIL.Image import Resampling
from torch.nn import functional as F

import mbnas.training.images
from mbnas.data import load_data
from mbnas.training.augmentation import Augmentation
from mbnas.training.images import ImageTensors, Normalisation

PLAIN = Normalisation((0.0,) * 3, (1.0,) * 3)
CPU = torch.device("cpu")


def tensors(part: Images) -> ImageTensors:
    return ImageTensors(part, Normalisation.of(part.images), CPU)


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


def test_a_smaller_resolution_is_resized_from_the_decoded_one() -> None:
    part = stripes(10, resolution=16)
    small = tensors(part).at(8)
    assert small.shape == (10, 8, 8, 3)
    assert small.dtype == torch.uint8
    for image, original in zip(small.numpy(), part.images, strict=True):
        expected = Image.fromarray(np.moveaxis(original, 0, -1)).resize((8, 8), Resampling.BILINEAR)
        assert np.abs(image.astype(int) - np.asarray(expected)).max() <= 1


def test_some_at_once_or_all_they_are_resized_alike(monkeypatch: pytest.MonkeyPatch) -> None:
    part = stripes(10, resolution=16)
    whole = tensors(part).at(8)
    monkeypatch.setattr(mbnas.training.images, "RESIZED_BYTES", 3 * part.images[0].nbytes)
    assert tensors(part).at(8).equal(whole)
    monkeypatch.setattr(mbnas.training.images, "RESIZED_BYTES", 1)
    assert tensors(part).at(8).equal(whole)


def test_decoded_images_are_taken_as_they_lie_in_memory() -> None:
    part = load_data("digits").decode("validation", 8)
    assert np.shares_memory(tensors(part).at(8).numpy(), part.images)


@pytest.mark.parametrize(
    ("count", "size", "sizes"), [(10, 4, [4, 3, 3]), (9, 5, [5, 4]), (6, 6, [6])]
)
def test_batches_are_in_order_and_about_equally_large(
    count: int, size: int, sizes: list[int]
) -> None:
    part = Images(stripes(count).images, np.arange(count))
    batches = list(tensors(part).batches(part.images.shape[-1], size))
    assert [len(images) for images, _ in batches] == sizes
    assert torch.cat([labels for _, labels in batches]).tolist() == list(range(count))
    whole = tensors(part).normalised(tensors(part).at(part.images.shape[-1]))
    torch.testing.assert_close(torch.cat([images for images, _ in batches]), whole, rtol=0, atol=0)


def numbered(count: int, size: int) -> torch.Tensor:
    """Images uint8 (N, H, W, 3) in which every pixel is different and says where it stood."""
    line = torch.arange(size * size, dtype=torch.uint8).view(1, size, size, 1)
    return line.expand(count, size, size, 3).contiguous()


def test_augmentation_shifts_by_an_eighth_at_most_and_mirrors() -> None:
    size, count = 16, 400
    images = numbered(count, size)
    one = images[0, ..., 0].numpy().astype(int)
    change = Augmentation(flip=True, crop=True)
    uniform, _ = change.draw(1, count, torch.Generator().manual_seed(0))
    seen = set()
    for image in change.gathered(images, torch.arange(count), uniform[0])[..., 0].int().numpy():
        for mirrored in (False, True):
            plain = image[:, ::-1] if mirrored else image
            down, right = divmod(int(plain[size // 2, size // 2]), size)
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


def test_images_may_be_left_alone() -> None:
    images = numbered(6, 8)
    change = Augmentation(flip=False, crop=False)
    uniform, shares = change.draw(1, 6, torch.Generator())
    assert torch.equal(change.gathered(images, torch.arange(6), uniform[0]), images)
    floats = torch.rand(6, 3, 8, 8)
    assert change.blanked(floats, uniform[0]) is floats
    assert change.mixed(floats, shares[0]) is floats


def test_cutout_blanks_one_square_that_may_leave_the_image() -> None:
    change = Augmentation(flip=False, crop=False, cutout=0.5)
    uniform, _ = change.draw(1, 300, torch.Generator().manual_seed(0))
    blanked = change.blanked(torch.ones(300, 3, 8, 8), uniform[0]) == 0
    assert torch.equal(blanked[:, 0], blanked[:, 2])
    heights = set()
    for image in blanked[:, 0]:
        rows, columns = image.any(1), image.any(0)
        assert torch.equal(image, rows[:, None] & columns[None, :])  # a rectangle
        heights.add(int(rows.sum()))
    assert max(heights) == 4
    assert min(heights) < 4


def test_mixup_mixes_images_and_labels_alike() -> None:
    change = Augmentation(flip=False, crop=False, mixup=0.4)
    _, shares = change.draw(500, 4, torch.Generator().manual_seed(0))
    assert 0.4 < float(shares.mean()) < 0.6
    assert float(shares.std()) > 0.3  # a Beta(0.4, 0.4) prefers the ends
    share = torch.tensor(0.3)
    images = torch.rand(4, 3, 2, 2)
    expected = 0.3 * images + 0.7 * images.flip(0)
    torch.testing.assert_close(change.mixed(images, share), expected)
    logits, labels = torch.randn(4, 5), torch.tensor([0, 1, 2, 3])
    own, other = F.cross_entropy(logits, labels), F.cross_entropy(logits, labels.flip(0))
    loss = change.loss(logits, labels, share, smoothing=0.0)
    torch.testing.assert_close(loss, 0.3 * own + 0.7 * other)


def test_the_same_seed_draws_the_same() -> None:
    change = Augmentation(flip=True, crop=True, mixup=1.0)
    drawn = [change.draw(3, 4, torch.Generator().manual_seed(5)) for _ in range(2)]
    assert all(torch.equal(*pair) for pair in zip(*drawn, strict=True))
