"""Images as tensors on the training device, resized once."""

from __future__ import annotations

import math
import threading
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

RESIZED_BYTES = 2**25
"""Of images that are resized at once; as floats they take some times as much."""


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
        self._hold(channels_last.contiguous(), torch.from_numpy(part.labels), normalisation, device)

    def on(self, device: torch.device) -> ImageTensors:
        """The same images on a device; on the one that they are on already, not copied."""
        other = object.__new__(type(self))
        other._hold(self._resized[self._decoded], self.labels, self._normalisation, device)
        return other

    def __getstate__(self) -> tuple[NDArray[np.uint8], NDArray[np.int64], Normalisation]:
        """As arrays, which pickle can leave where another process reads them too."""
        decoded = self._resized[self._decoded].cpu().numpy()
        return decoded, self.labels.cpu().numpy(), self._normalisation

    def __setstate__(
        self, state: tuple[NDArray[np.uint8], NDArray[np.int64], Normalisation]
    ) -> None:
        """On the CPU, not copied."""
        decoded, labels, normalisation = state
        with warnings.catch_warnings():
            # What processes share must not be written to, and is not.
            warnings.filterwarnings("ignore", message="The given NumPy array is not writable")
            images, indices = torch.from_numpy(decoded), torch.from_numpy(labels)
        self._hold(images, indices, normalisation, torch.device("cpu"))

    def _hold(
        self, images: Tensor, labels: Tensor, normalisation: Normalisation, device: torch.device
    ) -> None:
        """Images uint8 (N, H, W, C) and labels (N,), from now on on a device."""
        decoded = images.to(device)
        self._normalisation = normalisation
        self._decoded = decoded.shape[1]
        self._resized = {self._decoded: decoded}
        self._resizing = threading.Lock()
        self.labels = labels.to(device)
        self._scale = 1 / (torch.tensor(normalisation.std, device=device) * 255)
        self._shift = -torch.tensor(normalisation.mean, device=device) * 255 * self._scale

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def bytes(self) -> int:
        """What the images take of the device's memory, as they were decoded."""
        return self._resized[self._decoded].nbytes

    def at(self, resolution: int) -> Tensor:
        """All images as uint8 (N, H, W, C) of that resolution; each one asked for is kept."""
        with self._resizing:
            if resolution not in self._resized:
                decoded = self._resized[self._decoded]
                resized = decoded.new_empty((len(decoded), resolution, resolution, 3))
                count = max(1, RESIZED_BYTES // decoded[0].nbytes)
                for start in range(0, len(decoded), count):
                    chunk = decoded[start : start + count]
                    resized[start : start + count] = _resize(chunk, resolution)
                if resized.is_cuda:  # other streams will read it
                    torch.cuda.current_stream(resized.device).synchronize()
                self._resized[resolution] = resized
            return self._resized[resolution]

    def batches(self, resolution: int, size: int) -> Iterator[tuple[Tensor, Tensor]]:
        """Images as they are, normalised (N, C, H, W), and labels, in order.

        At most `size` at once, and about equally many: a GPU's libraries prepare themselves for
        every size anew.
        """
        parts = math.ceil(len(self) / size)
        images = self.at(resolution).tensor_split(parts)
        for chunk, labels in zip(images, self.labels.tensor_split(parts), strict=True):
            yield self.normalised(chunk), labels

    def normalised(self, images: Tensor) -> Tensor:
        """uint8 (N, H, W, C) to floats (N, C, H, W) in channels-last memory."""
        return torch.addcmul(self._shift, images, self._scale).permute(0, 3, 1, 2)


def _resize(images: Tensor, resolution: int) -> Tensor:
    """Images uint8 (N, H, W, C) at another resolution, antialiased."""
    scaled = F.interpolate(
        images.permute(0, 3, 1, 2).float(),
        size=(resolution, resolution),
        mode="bilinear",
        antialias=True,
    )
    return scaled.round_().clamp_(0, 255).to(torch.uint8).permute(0, 2, 3, 1)
