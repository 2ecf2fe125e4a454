"""A Gaussian process for few, noisy values that depend on many choices.

Its covariance is a linear part, which carries what most choices simply add, and a Matérn-5/2 part
with a weight for each feature, which carries how they work together. The weights' prior grows
weaker with the number of features, as Hvarfner et al. (ICML 2024) advise: then neither ten values
nor sixty features lead it astray. Its settings are those of the greatest posterior density.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import LinAlgError, cho_factor, cho_solve, solve_triangular
from scipy.optimize import minimize

Array = NDArray[np.float64]
WEIGHT_SPREAD = 2.0
"""Of the logarithm of a feature's weight, in the prior: features may matter very differently."""
NOISE, NOISE_SPREAD = math.exp(-4), 1.0
"""Expected share of the noise in the variance, and the spread of its logarithm."""
LINEAR, OTHER_SPREAD = 1.0, 1.0
ITERATIONS = 40
FITTED = 100
"""Values from which the settings are found; more change them little."""


@dataclass(frozen=True, slots=True)
class Settings:
    """What the values were found to be like.

    Attributes:
        weights: Of each feature's squared distance, (features,).
        scale: Variance of the Matérn part.
        noise: Variance of the noise.
        linear: Variance of a slope.
    """

    weights: Array
    scale: float
    noise: float
    linear: float

    @classmethod
    def of(cls, logs: Array) -> Settings:
        """From the logarithms of all, in the order of the attributes."""
        values = np.exp(np.clip(logs, -30, 30))
        return cls(values[:-3], float(values[-3]), float(values[-2]), float(values[-1]))


class GaussianProcess:
    """The posterior of a function, given noisy values.

    Args:
        features: (values, features), about as wide as a unit interval each.
        values: (values,)
        settings: Those of an earlier process; without, they are found.
    """

    def __init__(self, features: Array, values: Array, settings: Settings | None = None) -> None:
        self._mean, self._spread = float(values.mean()), float(values.std()) or 1.0
        self._features, self._values = features, values
        self._middle = features.mean(axis=0)
        standard = (values - self._mean) / self._spread
        if settings is None:
            # Evenly taken, so that early and late values count alike.
            some = np.linspace(0, len(values) - 1, min(FITTED, len(values))).round().astype(int)
            settings = _fitted(features[some], standard[some])
        self.settings = settings
        noisy = self._covariance(features, features)
        noisy[np.diag_indices_from(noisy)] += self.settings.noise + 1e-9
        self._factor = cho_factor(noisy, lower=True)
        self._weighted = cho_solve(self._factor, standard)

    @property
    def noise(self) -> float:
        """Standard deviation of the noise in a value."""
        return self._spread * math.sqrt(self.settings.noise)

    def predict(self, features: Array) -> tuple[Array, Array]:
        """Mean and standard deviation of the function, without the noise, at each row."""
        across = self._covariance(features, self._features)
        explained = solve_triangular(self._factor[0], across.T, lower=True)
        own = self.settings.scale + self.settings.linear * np.square(features - self._middle).sum(1)
        variance = np.maximum(own - np.square(explained).sum(axis=0), 1e-9)
        mean = self._mean + self._spread * (across @ self._weighted)
        return mean, self._spread * np.sqrt(variance)

    def believing(self, features: Array) -> GaussianProcess:
        """The same after values, as they are expected now, at some more rows."""
        if not len(features):
            return self
        return GaussianProcess(
            np.concatenate([self._features, features]),
            np.concatenate([self._values, self.predict(features)[0]]),
            self.settings,
        )

    def _covariance(self, one: Array, other: Array) -> Array:
        settings = self.settings
        scaled, others = one * np.sqrt(settings.weights), other * np.sqrt(settings.weights)
        squares = np.square(scaled).sum(1)[:, None] + np.square(others).sum(1)
        matern, _ = _matern(np.maximum(squares - 2 * scaled @ others.T, 0.0))
        slopes = (one - self._middle) @ (other - self._middle).T
        return np.asarray(settings.scale * matern + settings.linear * slopes)


def _matern(squares: Array) -> tuple[Array, Array]:
    """Matérn-5/2 at squared distances, and its derivative by them."""
    root = np.sqrt(5 * squares)
    decay = np.exp(-root)
    return (1 + root + root * root / 3) * decay, -5 / 6 * (1 + root) * decay


def _fitted(features: Array, values: Array) -> Settings:
    """The settings of the greatest posterior density."""
    count, width = features.shape
    upper = np.triu_indices(count, k=1)
    squares = np.square(features[upper[0]] - features[upper[1]])
    middled = features - features.mean(axis=0)
    slopes = middled @ middled.T
    # Under the prior's mode, the mean squared distance of two points, weighted, is 1.
    expected = max(float(squares.sum(axis=1).mean()) if count > 1 else 1.0, 1e-6)
    mode = np.log([*[1 / expected] * width, 1.0, NOISE, LINEAR / width])
    spread = np.array([*[WEIGHT_SPREAD] * width, OTHER_SPREAD, NOISE_SPREAD, OTHER_SPREAD])

    def loss(logs: Array) -> tuple[float, Array]:
        """Negative log density of the posterior, and its gradient (Rasmussen, 2006, 5.9)."""
        settings = Settings.of(logs)
        near, slope = _matern(squares @ settings.weights)
        matern = np.eye(count)
        matern[upper] = near
        matern.T[upper] = near
        noisy = settings.scale * matern + settings.linear * slopes
        noisy[np.diag_indices(count)] += settings.noise
        off = (logs - mode) / spread
        try:
            factor = cho_factor(noisy, lower=True)
        except LinAlgError:
            return 1e25, off / spread
        weighted = cho_solve(factor, values)
        pull = np.outer(weighted, weighted) - cho_solve(factor, np.eye(count))
        gradient = np.empty_like(logs)
        # Each pair stands twice in the sum over the matrix, which is halved.
        gradient[:width] = (pull[upper] * slope) @ squares * -settings.scale * settings.weights
        gradient[width] = -0.5 * settings.scale * np.sum(pull * matern)
        gradient[width + 1] = -0.5 * settings.noise * np.trace(pull)
        gradient[width + 2] = -0.5 * settings.linear * np.sum(pull * slopes)
        fit = 0.5 * values @ weighted + np.log(np.diag(factor[0])).sum()
        return float(fit + 0.5 * off @ off), gradient + off / spread

    found = minimize(
        loss, mode, jac=True, method="L-BFGS-B", options={"maxiter": ITERATIONS, "maxcor": 20}
    )
    return Settings.of(np.asarray(found.x))
