"""How a candidate is trained, as data."""

from __future__ import annotations

from dataclasses import dataclass

from mbnas.errors import BuildError


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """One training recipe.

    Attributes:
        epochs: Passes over the training part.
        batch_size: Images a step; 0 chooses by the size of the training part.
        learning_rate: Peak rate of SGD at batch size 256; scaled in proportion to the batch.
        momentum: Nesterov momentum.
        weight_decay: On kernels and matrices only, none on norms and biases.
        label_smoothing: Share of the target spread over all classes (arXiv 1512.00567).
        warm_up: Share of all steps in which the rate rises to its peak; then it falls linearly.
        flip: Mirror images at random, where the data say that a mirrored image is still itself.
        crop: Shift images at random by up to an eighth, where the data say so too.
    """

    epochs: int = 5
    batch_size: int = 0
    learning_rate: float = 0.4
    momentum: float = 0.9
    weight_decay: float = 5e-4
    label_smoothing: float = 0.1
    warm_up: float = 0.2
    flip: bool = True
    crop: bool = True

    def __post_init__(self) -> None:
        if self.epochs < 1:
            raise BuildError(f"epochs = {self.epochs}: must be at least 1")
        if self.batch_size < 0:
            raise BuildError(f"batch_size = {self.batch_size}: must be positive, or 0 to choose")
        if self.learning_rate <= 0:
            raise BuildError(f"learning_rate = {self.learning_rate:g}: must be above 0")
        for name in ("momentum", "weight_decay", "label_smoothing", "warm_up"):
            value = getattr(self, name)
            if not 0 <= value < 1:
                raise BuildError(f"{name} = {value:g}: must be at least 0 and below 1")

    def batch_size_for(self, images: int) -> int:
        """The batch size for so many training images: about forty steps an epoch up to 10,000."""
        if self.batch_size:
            return min(self.batch_size, images)
        power = 1 << max(0, round(images / 40) - 1).bit_length()
        return min(max(32, min(256, power)), images)

    def rate_at(self, step: int, steps: int, batch_size: int) -> float:
        """Learning rate of a step, counted from 0."""
        peak = self.learning_rate * batch_size / 256
        rise = max(1, round(self.warm_up * steps))
        if step < rise:
            return peak * (step + 1) / rise
        return peak * (steps - step) / max(1, steps - rise)
