"""How widths are multiplied and rounded."""

from __future__ import annotations

from dataclasses import dataclass


def divisible(width: float, divisor: int) -> int:
    """`width` rounded to a multiple of `divisor`, never below 90 % of it (MobileNetV1's rule)."""
    rounded = max(divisor, int(width + divisor / 2) // divisor * divisor)
    return rounded + divisor if rounded < 0.9 * width else rounded


@dataclass(frozen=True, slots=True)
class WidthRule:
    """Width multiplier and rounding of one network.

    Attributes:
        multiplier: Factor of every width; at 1 widths stay as they were written.
        divisor: What multiplied widths are rounded to.
        round_hidden: Whether expanded widths are rounded too, as EfficientNet does
            (20 × 3 → 64) and MobileNetV2 does not (60).
    """

    multiplier: float
    divisor: int
    round_hidden: bool

    def width(self, width: int) -> int:
        """Width of a stem or stage."""
        return width if self.multiplier == 1 else divisible(width * self.multiplier, self.divisor)

    def head(self, width: int) -> int:
        """Width of the head's convolution, which no multiplier below 1 shrinks (MobileNetV2 §5)."""
        return self.width(width) if self.multiplier > 1 else width

    def hidden(self, width: int, expansion: float) -> int:
        """Expanded width inside a block that takes `width` channels."""
        if self.round_hidden:
            return divisible(width * expansion, self.divisor)
        return max(1, round(width * expansion))
