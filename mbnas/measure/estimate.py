"""From bursts of runs to a latency: which of them count, the estimate, its interval, `noisy`.

Whatever disturbs a run makes it longer, so a quantile below the median repeats better than the
median or the mean; and the minimum hangs on one lucky run.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mbnas.measure.timing import Burst, Timing

QUANTILE = 0.2
LEAST_DOUBT = 0.01
"""Half of a 95 % interval, as a share of the estimate, that nothing narrows."""
DOUBT_OF_DESCHEDULED = 0.04
"""The same for a thread that lost its core again and again, and its caches with it."""
DOUBT_OF_SLOW = 0.10
"""The same for a network timed on a slow core: networks lose 1.3 to 1.65 times there, the
reference network about 1.5."""
FEW_BURSTS = 3
NARROW = 0.02
NOISY = 0.10
OFTEN = 0.25
"""Share of bursts that lost their core from which on the rest, too, found its caches cold."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """A latency on an undisturbed core, in milliseconds.

    Attributes:
        latency_ms: The 20 % quantile over bursts of each burst's median, scaled by the reference
            network.
        low_ms: Lower end of its 95 % interval.
        high_ms: Upper end.
        samples: Runs behind it.
        noisy: Whether the machine gave too few undisturbed runs, or too different ones.
    """

    latency_ms: float
    low_ms: float
    high_ms: float
    samples: int
    noisy: bool


def estimate(timing: Timing, reference_ms: float | None) -> Estimate:
    """The latency that a timing speaks for.

    Args:
        timing: Bursts of the network and of the reference network.
        reference_ms: The reference network's latency at this machine's best; None before it is
            known, when nothing is scaled.
    """
    undisturbed = [burst for burst in timing.bursts if burst.undisturbed]
    fast = [burst for burst in timing.bursts if burst.fast]
    if len(undisturbed) >= FEW_BURSTS:
        chosen, share, doubt = undisturbed, QUANTILE, LEAST_DOUBT
        alongside = [burst for burst in timing.lately if burst.undisturbed]
    elif len(fast) >= FEW_BURSTS:
        chosen, share, doubt = fast, QUANTILE, DOUBT_OF_DESCHEDULED
        alongside = [burst for burst in timing.lately if burst.fast]
    else:  # only how it stood to the reference network, turn by turn
        chosen, share, doubt = list(timing.bursts), 0.5, DOUBT_OF_SLOW
        alongside = list(timing.alongside)
    scale, scale_below, scale_above = 1.0, 0.0, 0.0
    if reference_ms is not None and len(alongside) >= FEW_BURSTS:
        found, below, above = _quantile(medians(alongside), share)
        # What the reference network is timed too slow, the scale is too small.
        scale, scale_below, scale_above = reference_ms / found, above / found, below / found
        doubt = max(doubt, _unrest(medians(alongside)))
    lost = sum(burst.descheduled for burst in timing.bursts) / len(timing.bursts)
    value, below, above = _quantile(medians(chosen), share)
    low = value * max(0.0, 1 - math.hypot(doubt, below / value, scale_below))
    high = value * (1 + math.hypot(doubt, above / value, scale_above))
    return Estimate(
        latency_ms=scale * value,
        low_ms=scale * low,
        high_ms=scale * high,
        samples=sum(len(burst.cpu_ms) for burst in chosen),
        noisy=len(undisturbed) < 2 * FEW_BURSTS or lost > OFTEN or high - low > NOISY * value,
    )


def reference_latency_ms(bursts: Sequence[Burst]) -> float | None:
    """The reference network's own latency, if enough of its bursts were undisturbed."""
    chosen = [burst for burst in bursts if burst.undisturbed]
    return _quantile(medians(chosen))[0] if len(chosen) >= 4 * FEW_BURSTS else None


def enough(bursts: Sequence[Burst], late: bool) -> bool:
    """Whether more bursts would hardly make the interval narrower, or would come too late."""
    chosen = [burst for burst in bursts if burst.undisturbed]
    if late or len(chosen) < 4 * FEW_BURSTS:
        return late and len(chosen) >= 2 * FEW_BURSTS
    value, below, above = _quantile(medians(chosen))
    return below + above <= 2 * NARROW * value


def medians(bursts: Sequence[Burst]) -> NDArray[np.float64]:
    """Each burst's median CPU time in milliseconds."""
    return np.array([float(np.median(burst.cpu_ms)) for burst in bursts])


def _unrest(values: NDArray[np.float64]) -> float:
    """How much the machine drifts, from the reference network: two deviations between quarters.

    What two measurements of one network at different times differ by, and no number of bursts in
    one of them shows.
    """
    if len(values) < 4 * FEW_BURSTS:
        return 0.0
    quarters = [np.log(_quantile(part)[0]) for part in np.array_split(values, 4)]
    return 2 * float(np.std(quarters, ddof=1))


def _quantile(values: NDArray[np.float64], share: float = QUANTILE) -> tuple[float, float, float]:
    """A quantile, and how far below and above it its 95 % interval reaches.

    From order statistics: ranks of a binomial, normal approximation.
    """
    ordered = np.sort(values)
    count = len(ordered)
    spread = 1.96 * np.sqrt(count * share * (1 - share))
    low = ordered[max(0, int(np.floor(count * share - spread)))]
    high = ordered[min(count - 1, int(np.ceil(count * share + spread)))]
    value = float(np.quantile(ordered, share))
    return value, value - float(low), float(high) - value
