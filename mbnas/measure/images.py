"""Images as tensors on the training device: resized once, augmented batch by batch."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

CROP_SHARE = 8  # images are shifted by up to an eighth of their width


class LabelledImages(Protocol):
    """One part of a data set, as the data room decodes it."""

    @property
    def images(self) -> NDArray[np.uint8]:
        """Images (N, 3, R, R)."""
        ...

    @property
    def labels(self) -> NDArray[np.int64]:
        """Class indices (N,)."""
        ...


@dataclass(frozen=True, slots=True)
class Normalisation:
    """Mean and standard deviation of each channel, of pixel values in [0, 1]."""

    mean: tuple[float, ...]
    std: tuple[float, ...]

    @classmethod
    def of(cls, images: NDArray[np.uint8]) -> Normalisation:
        """Of the pixels of images (N, C, H, W)."""
        # From counts of the 256 values: exact, and no second copy of a large part is ever held.
        counts = np.zeros((images.shape[1], 256), np.int64)
        for start in range(0, len(images), 256):
            for at, channel in enumerate(np.moveaxis(images[start : start + 256], 1, 0)):
                counts[at] += np.bincount(channel.ravel(), minlength=256)
        shares = counts / counts.sum(axis=1, keepdims=True)
        values = np.arange(256) / 255
        mean = shares @ values
        std = np.sqrt(np.maximum(shares @ values**2 - mean**2, 0))
        return cls(tuple(mean.tolist()), tuple(np.maximum(std, 1e-3).tolist()))


class ImageTensors:
    """One part, resident on a device as uint8, at any resolution up to the decoded one."""

    def __init__(
        self, part: LabelledImages, normalisation: Normalisation, device: torch.device
    ) -> None:
        channels_last = torch.from_numpy(part.images).permute(0, 2, 3, 1)
        self._images = channels_last.contiguous().to(device)  # (N, H, W, C)
        self.labels = torch.from_numpy(part.labels).to(device)
        self._mean = torch.tensor(normalisation.mean, device=device) * 255
        self._std = torch.tensor(normalisation.std, device=device) * 255
        self._resized: tuple[int, Tensor] | None = None

    def __len__(self) -> int:
        return len(self.labels)

    def at(self, resolution: int) -> Tensor:
        """All images as uint8 (N, H, W, C) of that resolution; the last one asked for is kept."""
        if self._resized is None or self._resized[0] != resolution:
            self._resized = None  # frees the last one first
            images = self._images
            if images.shape[1] != resolution:
                chunks = torch.split(images, 2048)
                images = torch.cat([_resize(chunk, resolution) for chunk in chunks])
            self._resized = (resolution, images)
        return self._resized[1]

    def batches(self, resolution: int, size: int) -> Iterator[tuple[Tensor, Tensor]]:
        """Images as they are, normalised (N, C, H, W), and labels, in order."""
        images = self.at(resolution)
        for start in range(0, len(self), size):
            chunk = slice(start, start + size)
            yield self._normalised(images[chunk]), self.labels[chunk]

    def shuffled(
        self, resolution: int, size: int, generator: torch.Generator, *, flip: bool, crop: bool
    ) -> Iterator[tuple[Tensor, Tensor]]:
        """One epoch in random order, augmented; a last incomplete batch is left out.

        The generator draws on the CPU, so that the same seed means the same batches everywhere.
        """
        images = self.at(resolution)
        shift = max(1, resolution // CROP_SHARE) if crop else 0
        order = torch.randperm(len(self), generator=generator).to(images.device)
        for start in range(0, len(self) - size + 1, size):
            chosen = order[start : start + size]
            drawn = torch.rand(3, size, generator=generator).to(images.device)
            yield (
                self._normalised(_augment(images, chosen, drawn, shift, flip)),
                self.labels[chosen],
            )

    def _normalised(self, images: Tensor) -> Tensor:
        """uint8 (N, H, W, C) to floats (N, C, H, W) in channels-last memory."""
        return ((images - self._mean) / self._std).permute(0, 3, 1, 2)


def _resize(images: Tensor, resolution: int) -> Tensor:
    """Images uint8 (N, H, W, C) at another resolution, antialiased."""
    scaled = F.interpolate(
        images.permute(0, 3, 1, 2).float(),
        size=(resolution, resolution),
        mode="bilinear",
        antialias=True,
    )
    rounded = scaled.round_().clamp_(0, 255).to(torch.uint8)
    return rounded.permute(0, 2, 3, 1).contiguous()


def _augment(images: Tensor, chosen: Tensor, drawn: Tensor, shift: int, flip: bool) -> Tensor:
    """Chosen images of (N, H, W, C), shifted and mirrored by one gather.

    Beyond an edge the edge's pixels go on. `drawn` (3, batch) holds uniform numbers.
    """
    resolution = images.shape[1]
    line = torch.arange(resolution, device=images.device)
    offsets = (drawn[:2] * (2 * shift + 1)).long() - shift
    rows = (line + offsets[0][:, None]).clamp_(0, resolution - 1)
    columns = (line + offsets[1][:, None]).clamp_(0, resolution - 1)
    if flip:
        columns = torch.where(drawn[2][:, None] < 0.5, columns.flip(1), columns)
    return images[chosen[:, None, None], rows[:, :, None], columns[:, None, :]]
