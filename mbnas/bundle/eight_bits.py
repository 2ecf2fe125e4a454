"""Whether a network in 8 bits is worth having: measured, and left out with the figures if not."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mbnas.errors import MeasureError
from mbnas.measure.latency import FileMeter, Latency
from mbnas.measure.quantise import quantised

ROUNDING = 1e-9
"""Far below one image's share: 0.98 less 0.97 is a little more than 0.01."""
Labels = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class EightBits:
    """A network in 8 bits beside the same one in 32.

    Attributes:
        content: The ONNX file.
        accuracy: Its validation accuracy.
        drop: How much lower that is than the other's.
        same: Validation images to which both give the same label.
        images: Validation images in all.
        latency: Timed in turns with the other.
        other: The other's latency.
    """

    content: bytes
    accuracy: float
    drop: float
    same: int
    images: int
    latency: Latency
    other: Latency

    @property
    def speed_up(self) -> float:
        """How many times as fast it is."""
        return self.other.latency_ms / self.latency.latency_ms

    @property
    def figures(self) -> str:
        """What was measured, a few words."""
        within = ", within the noise" if overlap(self.latency, self.other) else ""
        noisy = ", noisy" if self.latency.noisy or self.other.noisy else ""
        return (
            f"{self.speed_up:.2f} times as fast{within} ({self.latency.latency_ms:.3f} ms{noisy}),"
            f" validation accuracy {self.accuracy:.4f}, {abs(self.drop):.4f}"
            f" {'higher' if self.drop < 0 else 'lower'}, same label on {self.same:,} of"
            f" {self.images:,} images"
        )

    def objection(self, max_drop: float) -> str | None:
        """Why it is not worth having, with the figures; None where it is.

        Args:
            max_drop: Accuracy that may be lost.
        """
        reasons = []
        if self.speed_up <= 1:
            reasons.append("no faster than 32 bits here")
        if self.drop > max_drop + ROUNDING:
            reasons.append(f"more than {max_drop:g} of accuracy lost")
        return f"{' and '.join(reasons)}: {self.figures}" if reasons else None


@dataclass(frozen=True, slots=True)
class Timed:
    """A file as it was timed, alone or in turns with the same network in 8 bits.

    Attributes:
        latency: Of the file.
        int8: The network in 8 bits; None where it was not asked for, or could not be made.
        left_out: Why its file is left out; None where it is not, or was not asked for.
    """

    latency: Latency
    int8: EightBits | None = None
    left_out: str | None = None


def timed_with_eight_bits(
    content: bytes,
    calibration: Iterable[NDArray[np.float32]],
    predicted_by: Callable[[bytes], Labels],
    labels: Labels,
    max_drop: float,
    meter: FileMeter,
) -> Timed:
    """Quantises a file, and times both in turns.

    Args:
        content: The file in 32 bits.
        calibration: Normalised images of the training part.
        predicted_by: Labels that a file gives to the validation images.
        labels: Their right ones.
        max_drop: Accuracy that may be lost.
        meter: Times the files.

    Raises:
        MeasureError: a file cannot be timed.
    """
    try:
        eight = quantised(content, calibration)
    except MeasureError as error:
        (latency,) = meter.measure_files([content])
        return Timed(latency, left_out=str(error))
    latency, latency8 = meter.measure_files([content, eight])
    predicted, predicted8 = predicted_by(content), predicted_by(eight)
    accuracy = float((predicted8 == labels).mean())
    int8 = EightBits(
        content=eight,
        accuracy=accuracy,
        drop=float((predicted == labels).mean()) - accuracy,
        same=int((predicted8 == predicted).sum()),
        images=len(labels),
        latency=latency8,
        other=latency,
    )
    return Timed(latency, int8, int8.objection(max_drop))


def overlap(one: Latency, other: Latency) -> bool:
    """Whether two latencies' intervals have something in common."""
    return one.low_ms <= other.high_ms and other.low_ms <= one.high_ms
