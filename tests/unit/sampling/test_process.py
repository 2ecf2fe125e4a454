"""The Gaussian process: what it finds in values, and that it finds it rightly."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.optimize import check_grad
from scipy.optimize import minimize as scipy_minimize

from mbnas.sampling import process
from mbnas.sampling.process import FITTED, GaussianProcess, Settings

Array = NDArray[np.float64]
Loss = Callable[[Array], tuple[float, Array]]


def smooth(features: Array) -> Array:
    """Of three features, of which the last does nothing."""
    return np.asarray(np.sin(3 * features[:, 0]) + features[:, 0] * features[:, 1])


def some(count: int, noise: float = 0.0, seed: int = 0) -> tuple[Array, Array]:
    rng = np.random.default_rng(seed)
    features = rng.random((count, 3))
    return features, smooth(features) + noise * rng.standard_normal(count)


def test_a_smooth_function_is_foretold() -> None:
    found = GaussianProcess(*some(60))
    new, values = some(200, seed=1)
    mean, deviation = found.predict(new)
    assert np.abs(mean - values).mean() < 0.03 * values.std()
    assert found.noise < 0.1 * values.std()
    assert deviation.mean() < 0.1 * values.std()


def test_what_was_seen_is_kept_where_there_is_little_noise() -> None:
    features, values = some(60)
    mean, _ = GaussianProcess(features, values).predict(features)
    np.testing.assert_allclose(mean, values, atol=0.02 * values.std())


@pytest.mark.parametrize("noise", [0.1, 0.3])
def test_noise_is_recognised(noise: float) -> None:
    found = GaussianProcess(*some(100, noise))
    assert 0.6 * noise < found.noise < 1.5 * noise
    new, values = some(200, seed=1)
    mean, _ = found.predict(new)
    assert np.abs(mean - values).mean() < noise  # it does not follow the noise


def test_a_feature_that_does_nothing_weighs_least() -> None:
    weights = GaussianProcess(*some(80)).settings.weights
    assert np.argmin(weights) == 2


def test_deviations_grow_away_from_what_was_seen() -> None:
    features, values = some(60)
    _, near = GaussianProcess(features, values).predict(features)
    _, far = GaussianProcess(features, values).predict(features + 2.0)
    assert far.min() > near.max()


def test_a_scale_of_the_values_changes_nothing_else() -> None:
    features, values = some(30)
    new, _ = some(10, seed=1)
    mean, deviation = GaussianProcess(features, values).predict(new)
    scaled_mean, scaled_deviation = GaussianProcess(features, 1000 * values - 7).predict(new)
    np.testing.assert_allclose(scaled_mean, 1000 * mean - 7, rtol=1e-3)
    np.testing.assert_allclose(scaled_deviation, 1000 * deviation, rtol=1e-2)


@pytest.mark.parametrize("values", [[2.0], [2.0, 2.0, 2.0]])
def test_a_value_and_equal_values_are_believed(values: list[float]) -> None:
    features = np.random.default_rng(0).random((len(values), 3))
    mean, deviation = GaussianProcess(features, np.array(values)).predict(features)
    assert mean == pytest.approx(values)
    assert np.all(np.isfinite(deviation))


def test_equal_rows_with_other_values_are_noise() -> None:
    features = np.repeat(np.random.default_rng(0).random((5, 2)), 4, axis=0)
    values = np.tile([-1.0, 1.0, -1.0, 1.0], 5)
    found = GaussianProcess(features, values)
    assert np.abs(found.predict(features)[0]).max() < 0.3
    assert found.noise > 0.5


def captured_loss(monkeypatch: pytest.MonkeyPatch, features: Array, values: Array) -> Loss:
    """What is minimised to find the settings."""
    heard: list[Loss] = []

    def listening(loss: Loss, *arguments: Any, **options: Any) -> Any:
        heard.append(loss)
        return scipy_minimize(loss, *arguments, **options)

    monkeypatch.setattr(process, "minimize", listening)
    GaussianProcess(features, values)
    (loss,) = heard
    return loss


@pytest.mark.parametrize("count", [2, 3, 25])
@pytest.mark.parametrize("seed", [0, 1])
def test_the_gradient_agrees_with_differences(
    monkeypatch: pytest.MonkeyPatch, count: int, seed: int
) -> None:
    loss = captured_loss(monkeypatch, *some(count, 0.1))
    # Three weights, the scale, the noise and the slopes.
    logs = np.array([0.0, 0.0, 0.0, 0.0, -3.0, -1.0])
    logs += np.random.default_rng(seed).normal(0, 0.7, 6)
    off = check_grad(lambda at: loss(at)[0], lambda at: loss(at)[1], logs, epsilon=1e-6)
    assert off < 1e-4 * (1 + np.linalg.norm(loss(logs)[1]))


def test_the_settings_are_a_minimum(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "ITERATIONS", 500)
    features, values = some(25, 0.1)
    loss = captured_loss(monkeypatch, features, values)
    found = GaussianProcess(features, values).settings
    logs = np.log([*found.weights, found.scale, found.noise, found.linear])
    least, gradient = loss(logs)
    assert np.abs(gradient).max() < 1e-2
    for at in range(len(logs)):
        for step in (-0.3, 0.3):
            beside = logs.copy()
            beside[at] += step
            assert loss(beside)[0] > least


def test_many_values_are_all_believed_though_few_find_the_settings() -> None:
    features, values = some(FITTED + 60)
    mean, _ = GaussianProcess(features, values).predict(features)
    np.testing.assert_allclose(mean, values, atol=0.05 * values.std())


def test_given_settings_are_used() -> None:
    settings = Settings(np.array([1.0, 2.0, 3.0]), 1.0, 0.01, 0.5)
    assert GaussianProcess(*some(5), settings).settings is settings


@pytest.mark.parametrize("count", [1, 4, 20])
def test_believing_keeps_means_and_shrinks_deviations(count: int) -> None:
    features, values = some(30, 0.1)
    found = GaussianProcess(features, values)
    new, _ = some(50, seed=1)
    believing = found.believing(new[:count])
    mean, deviation = found.predict(new)
    mean_after, deviation_after = believing.predict(new)
    np.testing.assert_allclose(mean_after, mean, atol=0.05 * values.std())
    assert np.all(deviation_after <= 1.02 * deviation)
    assert np.all(deviation_after[:count] < deviation[:count])
    assert found.believing(new[:0]) is found
