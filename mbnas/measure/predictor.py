"""Predicting a latency on this machine from the units of a network, without running it.

Each kind of unit has a Gaussian process of its time over its features, fitted to units timed
inside whole networks by ONNX Runtime's profiler. A network's latency is a weighted sum of its
units' times, by kind; the weights, about 1, take off what profiling added and are fitted to whole
networks. In the spirit of nn-Meter (Zhang et al., MobiSys 2021), which predicts by kernels.
"""

from __future__ import annotations

import warnings
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mbnas.measure.units import Unit, units
from mbnas.network import Architecture

FEW_UNITS = 6
"""Different units of a kind below which all kinds together speak for it."""
MOST_UNITS = 400
FLOOR_MS = 0.0005
REWEIGHTED = 5
PENALTY = 0.03
"""Pull of the weights towards 1; from 0.01 to 0.1 the error stays the same."""

UnitTimes = Mapping[Unit, tuple[float, int]]
"""Of each unit, its median time in milliseconds and how often it was timed."""


@dataclass(frozen=True, slots=True)
class PredictionError:
    """How far predictions are from measurements, on networks that were not fitted.

    Attributes:
        networks: Networks compared.
        mean: Mean of |predicted / measured − 1|.
        most: Its maximum.
        within_10: Share of networks within 10 %.
    """

    networks: int
    mean: float
    most: float
    within_10: float


class LatencyPredictor:
    """Predicts `latency_ms` of networks made of units like those it was fitted to.

    Args:
        times: Units that were timed.
        measured: Whole networks and their latencies in milliseconds.
        classes: Number of classes of the data.
        settings: The processes' kernel settings from an earlier fit of the same; without, they
            are found anew, which takes some seconds.
    """

    def __init__(
        self,
        times: UnitTimes,
        measured: Sequence[tuple[Architecture, float]],
        classes: int,
        settings: Mapping[str, Sequence[float]] | None = None,
    ) -> None:
        self.classes = classes
        by_kind: dict[str, list[Unit]] = defaultdict(list)
        for unit in times:
            by_kind[unit.kind].append(unit)
        enough = {kind: some for kind, some in by_kind.items() if len(some) >= FEW_UNITS}
        given = settings or {}
        self._any = _Process(list(times), times, lambda unit: unit.work, given.get(""))
        self._of_kind = {
            kind: _Process(some, times, lambda unit: unit.features, given.get(kind))
            for kind, some in sorted(enough.items())
        }
        self._kinds = sorted(by_kind)
        self._known: dict[Unit, float] = {}
        # One unit more or less costs what the profiler adds: it starts at nothing.
        self._weights = np.append(np.ones(len(self._kinds)), 0.0)
        from sklearn.linear_model import Ridge  # scikit-learn takes a second to import

        ms = np.array([latency_ms for _, latency_ms in measured])
        rows = self._rows([architecture for architecture, _ in measured]) / ms[:, None]
        start, trust = self._weights, np.ones(len(ms))
        for _ in range(REWEIGHTED):
            fit = Ridge(alpha=PENALTY, fit_intercept=False)
            fit.fit(rows, 1 - rows @ start, sample_weight=trust)
            self._weights = start + fit.coef_
            # Huber's weights: a network timed at a bad moment shall not bend the others.
            off = np.abs(1 - rows @ self._weights)
            trust = np.minimum(1.0, 1.5 * np.median(off) / np.maximum(off, 1e-9))

    @property
    def settings(self) -> dict[str, list[float]]:
        """The processes' kernel settings, for the next time."""
        return {
            "": self._any.settings,
            **{kind: one.settings for kind, one in self._of_kind.items()},
        }

    def predict(self, architectures: Sequence[Architecture]) -> NDArray[np.float64]:
        """`latency_ms` of each, (networks,)."""
        return np.asarray(np.maximum(self._rows(architectures) @ self._weights, FLOOR_MS))

    def error_on(self, measured: Sequence[tuple[Architecture, float]]) -> PredictionError:
        """How well it predicts networks with measured latencies."""
        predicted = self.predict([architecture for architecture, _ in measured])
        errors = np.abs(predicted / np.array([ms for _, ms in measured]) - 1)
        return PredictionError(
            networks=len(measured),
            mean=float(errors.mean()),
            most=float(errors.max()),
            within_10=float((errors <= 0.1).mean()),
        )

    def _rows(self, architectures: Sequence[Architecture]) -> NDArray[np.float64]:
        """Of each network, the time in each kind of unit, and the number of units."""
        counted = [Counter(units(one.lower(self.classes)).values()) for one in architectures]
        self._learn(unit for count in counted for unit in count)
        at = {kind: column for column, kind in enumerate(self._kinds)}
        rows = np.zeros((len(counted), len(self._kinds) + 1))
        for row, count in zip(rows, counted, strict=True):
            for unit, times in count.items():
                # A kind never seen has no weight of its own; it counts as the first does.
                row[at.get(unit.kind, 0)] += times * self._known[unit]
            row[-1] = 0.01 * sum(count.values())
        return rows

    def _learn(self, wanted: Iterable[Unit]) -> None:
        """Predicts units that were not asked for before, kind by kind."""
        new: dict[str, list[Unit]] = defaultdict(list)
        for unit in set(wanted) - self._known.keys():
            new[unit.kind].append(unit)
        for kind, some in new.items():
            process = self._of_kind.get(kind, self._any)
            self._known.update(zip(some, process.predict(some), strict=True))


class _Process:
    """A Gaussian process of the logarithm of units' times."""

    def __init__(
        self,
        some: Sequence[Unit],
        times: UnitTimes,
        features: Callable[[Unit], Sequence[float]],
        settings: Sequence[float] | None,
    ) -> None:
        from sklearn.exceptions import ConvergenceWarning
        from sklearn.gaussian_process import GaussianProcessRegressor
        from sklearn.gaussian_process.kernels import RBF, ConstantKernel, WhiteKernel

        self._features = features
        some = sorted(some, key=lambda unit: (-times[unit][1], unit.features))[:MOST_UNITS]
        table = self._table(some)
        self._mean = table.mean(axis=0)
        self._scale = table.std(axis=0) + 1e-9
        width = max(1, table.shape[1])
        kernel = ConstantKernel(1.0, (1e-3, 1e3)) * RBF([2.0] * width, (0.1, 100.0))
        kernel = kernel + WhiteKernel(1e-3, (1e-6, 1.0))
        if settings is not None:
            kernel.theta = np.array(settings)
        self._model = GaussianProcessRegressor(
            kernel,
            alpha=np.array([0.05**2 / times[unit][1] for unit in some]),
            optimizer=None if settings is not None else "fmin_l_bfgs_b",
            normalize_y=True,
        )
        logs = [np.log(max(times[unit][0], FLOOR_MS)) for unit in some]
        with warnings.catch_warnings():
            # A feature that does not matter drives its length scale to the bound: as it should.
            warnings.simplefilter("ignore", ConvergenceWarning)
            self._model.fit(self._scaled(table), logs)

    @property
    def settings(self) -> list[float]:
        return [float(value) for value in self._model.kernel_.theta]

    def predict(self, some: Sequence[Unit]) -> list[float]:
        """Milliseconds of each."""
        return [float(ms) for ms in np.exp(self._model.predict(self._scaled(self._table(some))))]

    def _table(self, some: Sequence[Unit]) -> NDArray[np.float64]:
        return np.array([self._features(unit) or (0.0,) for unit in some], dtype=float)

    def _scaled(self, table: NDArray[np.float64]) -> NDArray[np.float64]:
        scaled: NDArray[np.float64] = (table - self._mean) / self._scale
        return scaled
