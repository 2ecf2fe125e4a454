"""Whether a network in 8 bits is worth having: measured, and left out with the figures if not."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mbnas.errors import MeasureError
from mbnas.measure.latency import FileMeter, Latency
from mbnas.measure.quantise import quantised


@dataclass(frozen=True, slots=True)
class EightBits:
    """A network in 8 bits beside the same one in 32.

    Attributes:
        content: The ONNX file.
        accuracy: Its validation accuracy.
        drop: How much lower that is than the other's.
        latency: Timed in turns with the other.
        speed_up: How many times as fast it is.
    """

    content: bytes
    accuracy: float
    drop: float
    latency: Latency
    speed_up: float

    @property
    def figures(self) -> str:
        """What was measured, a few words."""
        return (
            f"{self.speed_up:.2f} times as fast ({self.latency.latency_ms:.3f} ms), validation"
            f" accuracy {self.accuracy:.4f}, {abs(self.drop):.4f}"
            f" {'higher' if self.drop < 0 else 'lower'}"
        )

    def objection(self, max_drop: float) -> str | None:
        """Why it is not worth having, with the figures; None where it is.

        Args:
            max_drop: Accuracy that may be lost.
        """
        reasons = []
        if self.speed_up <= 1:
            reasons.append("no faster than 32 bits here")
        if self.drop > max_drop:
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
    accuracy_of: Callable[[bytes], float],
    max_drop: float,
    meter: FileMeter,
) -> Timed:
    """Quantises a file, and times both in turns.

    Args:
        content: The file in 32 bits.
        calibration: Normalised images of the training part.
        accuracy_of: Validation accuracy of a file.
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
    accuracy = accuracy_of(eight)
    drop = accuracy_of(content) - accuracy
    int8 = EightBits(eight, accuracy, drop, latency8, latency.latency_ms / latency8.latency_ms)
    return Timed(latency, int8, int8.objection(max_drop))
