"""How a candidate is trained, as data."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields, replace
from typing import Any, Literal

from mbnas.errors import BuildError
from mbnas.network.checks import Check, boolean, number, one_of, shown, whole

OptimizerName = Literal["sgd", "adamw"]
Decay = Literal["linear", "cosine"]
Precision = Literal["auto", "float32", "bfloat16"]

_PEAK_RATE: dict[str, float] = {"sgd": 0.4, "adamw": 4e-3}
_WEIGHT_DECAY: dict[str, float] = {"sgd": 5e-4, "adamw": 0.05}
RATED_BATCH = 256
"""The batch size for which a peak rate is said."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """One training recipe.

    Attributes:
        epochs: Passes over the training part.
        rungs: Epochs at which a trial reports and may be stopped; () takes a quarter and half of
            the epochs.
        batch_size: Images a step; 0 chooses by the size of the training part.
        optimizer: `sgd`, with Nesterov momentum, or `adamw` (arXiv 1711.05101).
        learning_rate: Peak rate at batch size 256, scaled with the batch: in proportion for
            `sgd` (arXiv 1706.02677), by its root for `adamw`. None takes the optimiser's usual one.
        momentum: Of `sgd`.
        weight_decay: On kernels and matrices only, none on norms and biases. None takes the
            optimiser's usual one.
        warm_up: Share of all steps in which the rate rises to its peak.
        decay: How the rate then falls to 0: `linear` or `cosine`.
        label_smoothing: Share of the target spread over all classes (arXiv 1512.00567).
        flip: Mirror images at random, where the data say that a mirrored image is still itself.
        crop: Shift images at random by up to an eighth, where the data say so too.
        cutout: Side of a square that is blanked at random, as a share of the image's; 0 for none
            (arXiv 1708.04552).
        mixup: α of the Beta distribution by which two images are mixed; 0 for none
            (arXiv 1710.09412).
        ema: Decay a step of the running average of the weights that is evaluated and kept; 0
            keeps the last weights.
        precision: Of the forward pass in training: `float32`, `bfloat16` (autocast), or `auto`,
            bfloat16 where the device gains by it. Evaluation is in float32.
    """

    epochs: int = 5
    rungs: tuple[int, ...] = ()
    batch_size: int = 0
    optimizer: OptimizerName = "sgd"
    learning_rate: float | None = None
    momentum: float = 0.9
    weight_decay: float | None = None
    warm_up: float = 0.2
    decay: Decay = "linear"
    label_smoothing: float = 0.1
    flip: bool = True
    crop: bool = True
    cutout: float = 0.0
    mixup: float = 0.0
    ema: float = 0.0
    precision: Precision = "auto"

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            try:
                object.__setattr__(self, field.name, _CHECKS[field.name](value))
            except ValueError as error:
                raise BuildError(f"{field.name} = {shown(value)}: {error}") from None
        if self.rungs and self.rungs[-1] > self.epochs:
            raise BuildError(
                f"rungs = {list(self.rungs)}: {self.rungs[-1]} is beyond the last epoch,"
                f" {self.epochs}"
            )

    @classmethod
    def for_images(cls, images: int, resolution: int, **changes: Any) -> Recipe:
        """A sensible recipe for so many training images of a resolution, with changes.

        Raises:
            BuildError: a change that cannot be.
        """
        usual: dict[str, Any] = {"batch_size": cls().batch_size_for(images)}
        if images < FEW_IMAGES:
            # So that the last layers see some hundreds of steps.
            usual["epochs"] = min(30, max(8, math.ceil(320 / max(1, images / 32))))
        if resolution >= LARGE_RESOLUTION:
            # Large maps fill the memory; noisy batch statistics and a high rate go ill together.
            usual |= {"batch_size": 64 if images >= FEW_IMAGES else 32, "decay": "cosine"}
        return cls(**{**usual, **changes})

    def with_epochs(self, epochs: int) -> Recipe:
        """The same, shorter or longer; rungs beyond the end fall away."""
        return replace(
            self, epochs=epochs, rungs=tuple(rung for rung in self.rungs if rung <= epochs)
        )

    @property
    def stops(self) -> tuple[int, ...]:
        """Epochs after which a training is laid down: every rung before the end, and the end."""
        rungs = self.rungs or (round(self.epochs / 4), round(self.epochs / 2))
        before = {rung for rung in rungs if 0 < rung < self.epochs}
        return (*sorted(before), self.epochs)

    @property
    def peak_rate(self) -> float:
        """The learning rate's peak at batch size 256, the usual one where none is given."""
        return _PEAK_RATE[self.optimizer] if self.learning_rate is None else self.learning_rate

    @property
    def kernel_decay(self) -> float:
        """The weight decay of kernels and matrices, the usual one where none is given."""
        return _WEIGHT_DECAY[self.optimizer] if self.weight_decay is None else self.weight_decay

    def batch_size_for(self, images: int) -> int:
        """The batch size for so many training images: near eighty steps an epoch, in 32 to 256.

        Of 24 networks on 5,400 images, one epoch of 84 steps foretold the order better than three
        of 21 did (studies/published/audits).
        """
        if self.batch_size:
            return min(self.batch_size, images)
        power = 1 << round(math.log2(max(1, images / 80)))
        return min(max(32, min(256, power)), images)

    def rate_at(self, step: int, steps: int, batch_size: int) -> float:
        """Learning rate of a step, counted from 0."""
        scale = batch_size / RATED_BATCH
        peak = self.peak_rate * (scale if self.optimizer == "sgd" else math.sqrt(scale))
        rise = max(1, round(self.warm_up * steps))
        if step < rise:
            return peak * (step + 1) / rise
        left = (steps - step) / max(1, steps - rise)
        return peak * (left if self.decay == "linear" else (1 - math.cos(math.pi * left)) / 2)


FEW_IMAGES = 5_000
LARGE_RESOLUTION = 128


def _share(value: object) -> float:
    """A number in [0, 1)."""
    checked = number(0, 1)(value)
    if checked == 1:
        raise ValueError("must be at least 0 and below 1")
    return float(checked)


def _optional(check: Check) -> Check:
    return lambda value: None if value is None else check(value)


def _rungs(value: object) -> tuple[int, ...]:
    if not isinstance(value, (list, tuple)):
        raise ValueError("must be a list of epochs, such as [2, 5]")
    rungs = tuple(whole()(rung) for rung in value)
    if list(rungs) != sorted(set(rungs)):
        raise ValueError("must rise from rung to rung")
    return rungs


_CHECKS: dict[str, Check] = {
    "epochs": whole(),
    "rungs": _rungs,
    "batch_size": whole(0),
    "optimizer": one_of(("sgd", "adamw")),
    "learning_rate": _optional(number(0, above=True)),
    "momentum": _share,
    "weight_decay": _optional(_share),
    "warm_up": _share,
    "decay": one_of(("linear", "cosine")),
    "label_smoothing": _share,
    "flip": boolean(),
    "crop": boolean(),
    "cutout": _share,
    "mixup": number(0),
    "ema": _share,
    "precision": one_of(("auto", "float32", "bfloat16")),
}
