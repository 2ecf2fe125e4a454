"""Quantities that are known, exactly or about, before anything is evaluated."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

if TYPE_CHECKING:
    from sklearn.linear_model import BayesianRidge

Array = NDArray[np.float64]
Params = Mapping[str, Any]
MOST_REMEMBERED = 50_000
FEW_PAIRS = 3
EXACT = 1e-6
USUAL_ERROR = 0.1
"""Relative error of a known quantity while too few measured values say better."""


@dataclass(frozen=True, slots=True)
class Known:
    """A positive quantity that can be said of any point at once.

    Attributes:
        of: Its values for many points; cheap, at most milliseconds a point.
        objective: Index of the objective that it is. None: it only helps to foretell the others,
            or is only limited.
        most: A limit; points beyond it are not proposed.
    """

    of: Callable[[Sequence[Params]], Sequence[float]]
    objective: int | None = None
    most: float | None = None


class Remembered:
    """A function of points that works each value out once."""

    def __init__(self, of: Callable[[Sequence[Params]], Sequence[Any]]) -> None:
        self._of = of
        self._values: dict[Hashable, Any] = {}

    def __call__(self, points: Sequence[Params]) -> list[Any]:
        """The values of some points."""
        keys = [point_key(point) for point in points]
        values = self._values
        new = {key: point for key, point in zip(keys, points, strict=True) if key not in values}
        # A dictionary of its own: another thread may ask, and forget, meanwhile.
        found = {key: values[key] for key in keys if key in values}
        if new:
            found.update(zip(new, self._of(list(new.values())), strict=True))
        kept = {**{key: value for key, value in values.items() if key not in found}, **found}
        surplus = len(kept) - max(MOST_REMEMBERED, len(found))
        self._values = dict(islice(kept.items(), max(0, surplus), None))
        return [found[key] for key in keys]


def point_key(point: Params) -> Hashable:
    """What tells a point from others of the same space."""
    return tuple(value for _, value in sorted(point.items(), key=lambda item: item[0]))


class Correction:
    """How measured values of a quantity differ from what was known of it before.

    A linear model of the logarithm of their ratio: an exact quantity stays as it is, a rough
    estimate is drawn towards what was measured.

    Args:
        features: (pairs, features)
        known: (pairs,)
        measured: (pairs,)
    """

    def __init__(self, features: Array, known: Array, measured: Array) -> None:
        usable = (known > 0) & (measured > 0) & np.isfinite(measured)
        ratios = np.log(measured[usable] / known[usable])
        self._model: BayesianRidge | None = None
        self._shift, self._error = 0.0, USUAL_ERROR
        if len(ratios) and float(np.abs(ratios).max()) < EXACT:
            self._error = 0.0
        elif len(ratios) >= FEW_PAIRS:
            from sklearn.linear_model import BayesianRidge  # which takes a second to import

            self._model = BayesianRidge().fit(features[usable], ratios)
        elif len(ratios):
            self._shift = float(ratios.mean())

    def __call__(self, features: Array) -> tuple[Array, Array]:
        """Mean and standard deviation of the logarithm of measured over known."""
        if self._model is None or not len(features):
            return np.full(len(features), self._shift), np.full(len(features), self._error)
        shift, error = self._model.predict(features, return_std=True)
        return shift, error


def chance_within(mean: Array, deviation: Array, most: float) -> Array:
    """The chance of staying within a limit, where the logarithm is known with an error."""
    if most <= 0:
        return np.zeros(len(mean))
    return np.asarray(ndtr((np.log(most) + 1e-9 - mean) / np.maximum(deviation, 1e-9)))
