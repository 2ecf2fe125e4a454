"""What a batch goes through on its way into the network, whole batches at a time, on the device."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

CROP_SHARE = 8  # images are shifted by up to an eighth of their width
_DRAWS = 5  # numbers drawn for each image: two of the shift, the mirror, two of the cut


@dataclass(frozen=True, slots=True)
class Augmentation:
    """What is done to training images.

    Attributes:
        flip: Mirror at random.
        crop: Shift at random by up to an eighth; beyond an edge the edge's pixels go on.
        cutout: Side of the square that is blanked, as a share of the image's; 0 for none.
        mixup: α of the Beta distribution by which two images are mixed; 0 for none.
    """

    flip: bool
    crop: bool
    cutout: float = 0.0
    mixup: float = 0.0

    def draw(self, steps: int, size: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """What one epoch draws, on the CPU, so that a seed means the same on every device.

        Returns:
            Uniform numbers (steps, 5, size), and shares of the first of two mixed images (steps,).
        """
        uniform = torch.rand(steps, _DRAWS, size, generator=generator)
        shares = torch.ones(steps)
        if self.mixup:
            seed = int(torch.randint(2**62, (), generator=generator))
            drawn = np.random.default_rng(seed).beta(self.mixup, self.mixup, steps)
            shares = torch.from_numpy(drawn.astype(np.float32))
        return uniform, shares

    def gathered(self, images: Tensor, chosen: Tensor, drawn: Tensor) -> Tensor:
        """Chosen images of uint8 (N, H, W, C), shifted and mirrored by one gather."""
        resolution = images.shape[1]
        shift = max(1, resolution // CROP_SHARE) if self.crop else 0
        line = torch.arange(resolution, device=images.device)
        offsets = (drawn[:2] * (2 * shift + 1)).long() - shift
        rows = (line + offsets[0][:, None]).clamp_(0, resolution - 1)
        columns = (line + offsets[1][:, None]).clamp_(0, resolution - 1)
        if self.flip:
            columns = torch.where(drawn[2][:, None] < 0.5, columns.flip(1), columns)
        return images[chosen[:, None, None], rows[:, :, None], columns[:, None, :]]

    def blanked(self, images: Tensor, drawn: Tensor) -> Tensor:
        """Normalised images (N, C, H, W) with a square at the mean colour, cut at the edges."""
        if not self.cutout:
            return images
        resolution = images.shape[-1]
        middle = torch.arange(resolution, device=images.device) + 0.5
        half = self.cutout * resolution / 2
        rows, columns = ((middle - drawn[at][:, None] * resolution).abs() < half for at in (3, 4))
        square = rows[:, None, :, None] & columns[:, None, None, :]
        return images.masked_fill(square, 0.0)

    def mixed(self, images: Tensor, share: Tensor) -> Tensor:
        """Each image mixed with the one that stands as far from the batch's other end."""
        if not self.mixup:
            return images
        return torch.lerp(images.flip(0), images, share)

    def loss(self, logits: Tensor, labels: Tensor, share: Tensor, smoothing: float) -> Tensor:
        """Cross-entropy of mixed images: of both labels, by their shares."""
        loss = F.cross_entropy(logits, labels, label_smoothing=smoothing)
        if not self.mixup:
            return loss
        other = F.cross_entropy(logits, labels.flip(0), label_smoothing=smoothing)
        return torch.lerp(other, loss, share)
