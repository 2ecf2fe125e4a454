"""Which trials are stopped, by curves whose ends are known."""

from __future__ import annotations

import math
import random
from dataclasses import replace

import numpy as np
import pytest
from helpers import tiny_space

from mbnas.measure.latency import Latency
from mbnas.network import costs
from mbnas.search import FrontReach, Goals, Limit, Trial, maximize, minimize
from mbnas.search.foresight import Foresight, observed
from mbnas.search.stopping import FEWEST_BEFORE_TRAINING, FEWEST_CURVES, telling_images
from mbnas.testing import FakeLatencyMeter
from mbnas.training.trainer import Epoch

GOALS = Goals.of([maximize("accuracy"), minimize("latency_ms")])
EPOCHS = 6


def latency(ms: float) -> Latency:
    (measured,) = FakeLatencyMeter().measure([tiny_space_network(0).architecture], 10)
    return replace(measured, latency_ms=ms, low_ms=ms, high_ms=ms, p50_ms=ms, p90_ms=ms)


def tiny_space_network(number: int) -> Trial:
    space = tiny_space()
    params = space.sample(random.Random(number))
    network = space.architecture(params)
    return Trial(
        number=number,
        params=params,
        architecture=network,
        status="trained",
        costs=costs(network.lower(10)),
    )


def curve(last: float, epochs: int = EPOCHS, wobble: float = 0.0) -> tuple[Epoch, ...]:
    """Errors that shrink by a tenth each epoch, to one at the end of a whole training."""
    errors = [(1 - last) * 1.1 ** (EPOCHS - at) for at in range(1, epochs + 1)]
    return tuple(
        Epoch(at, 1.0, 1 - error * math.exp(wobble), 1 - error * math.exp(wobble), float(at))
        for at, error in enumerate(errors, start=1)
    )


def trial(number: int, accuracy: float, ms: float, epochs: int = EPOCHS) -> Trial:
    whole = epochs == EPOCHS
    return replace(
        tiny_space_network(number),
        status="trained" if whole else "untrained",
        accuracy=accuracy if whole else None,
        curve=curve(accuracy, epochs),
        latency=latency(ms),
    )


def finished(count: int = 20) -> list[Trial]:
    """A front from 1 ms to 2 ms, and others below it."""
    rng = np.random.default_rng(0)
    found = []
    for at in range(count):
        ms = 1 + at / count
        below = 0.0 if at % 2 == 0 else 0.1 * rng.random()
        found.append(trial(at, 0.7 + 0.1 * (ms - 1) - below, ms))
    return found


def test_one_that_will_end_far_below_the_front_is_stopped_and_one_near_it_is_not() -> None:
    rule = FrontReach(GOALS)
    stop = rule.at_rung(trial(99, 0.5, 1.5, epochs=2), finished())
    assert stop is not None
    assert stop.expected_accuracy == pytest.approx(0.5, abs=0.03)
    assert "after 2 epochs" in stop.reason
    assert rule.at_rung(trial(99, 0.76, 1.5, epochs=2), finished()) is None


def test_where_few_images_cannot_tell_a_slightly_better_network_is_stopped_too() -> None:
    slightly_better = trial(99, 0.76, 1.5, epochs=2)  # the front has 0.75 at its cost
    assert FrontReach(GOALS, images=100_000).at_rung(slightly_better, finished()) is None
    stop = FrontReach(GOALS, images=50).at_rung(slightly_better, finished())
    assert stop is not None
    assert "0.7500 ± 0.0612" in stop.reason
    much_better = trial(99, 0.9, 1.5, epochs=2)
    assert FrontReach(GOALS, images=50).at_rung(much_better, finished()) is None


def test_by_balanced_accuracy_a_rare_class_blurs_as_much_as_a_frequent_one() -> None:
    assert telling_images([50, 50, 50], "balanced_accuracy") == pytest.approx(150)
    assert telling_images([100, 40, 0], "accuracy") == 140
    members, level = [200, 100, 20], 0.9
    told = telling_images(members, "balanced_accuracy")
    rng = np.random.default_rng(0)
    drawn = np.mean([rng.binomial(count, level, 20_000) / count for count in members], axis=0)
    assert math.sqrt(level * (1 - level) / told) == pytest.approx(drawn.std(), rel=0.03)


def test_what_was_expected_of_an_untrained_network_is_no_observation() -> None:
    trained = finished(1)[0]
    given_up = replace(trained, status="untrained", accuracy=None, curve=(), expected_accuracy=0.5)
    for trial, known in ((trained, True), (given_up, False)):
        seen = observed(trial, GOALS)
        assert seen is not None
        assert math.isfinite(seen.values[0]) == known
    stopped = replace(given_up, status="stopped", curve=trained.curve[:1])
    seen = observed(stopped, GOALS)
    assert seen is not None
    assert seen.values[0] == 0.5


def test_a_cheap_network_is_held_against_those_as_cheap_alone() -> None:
    rule = FrontReach(GOALS)
    assert rule.at_rung(trial(99, 0.5, 1.5, epochs=2), finished()) is not None
    assert rule.at_rung(trial(99, 0.5, 0.9, epochs=2), finished()) is None


def test_few_finished_curves_stop_nothing() -> None:
    rule = FrontReach(GOALS)
    hopeless = trial(99, 0.2, 5.0, epochs=2)
    assert rule.at_rung(hopeless, finished(FEWEST_CURVES - 1)) is None
    assert rule.at_rung(hopeless, finished(FEWEST_CURVES)) is not None


def test_networks_that_broke_a_limit_are_not_the_front_to_be_reached() -> None:
    goals = Goals.of([maximize("accuracy"), minimize("latency_ms")], [Limit("params", 1)])
    assert FrontReach(goals).at_rung(trial(99, 0.2, 5.0, epochs=2), finished()) is None


def test_curves_that_vary_much_stop_less() -> None:
    rng = np.random.default_rng(0)
    noisy = [
        replace(one, curve=(*curve(one.accuracy or 0, EPOCHS - 1, wobble), one.curve[-1]))
        for one, wobble in zip(finished(), 0.5 * rng.standard_normal(20), strict=True)
    ]
    middling = trial(99, 0.66, 1.5, epochs=2)
    assert FrontReach(GOALS).at_rung(middling, finished()) is not None
    assert FrontReach(GOALS).at_rung(middling, noisy) is None


def by_size(number: int) -> Trial:
    """A network whose accuracy and latency grow with its MACs."""
    network = tiny_space_network(number)
    size = math.log(network.costs.macs)
    return replace(
        network,
        accuracy=1 - math.exp(-0.3 * size),
        curve=curve(1 - math.exp(-0.3 * size)),
        latency=latency(network.costs.macs / 1e6),
    )


def test_before_training_a_small_network_as_slow_as_a_large_one_is_left() -> None:
    foresight = Foresight(tiny_space(), 10, GOALS, None)
    rule = FrontReach(GOALS, foresight)
    known = [by_size(number) for number in range(FEWEST_BEFORE_TRAINING + 10)]
    own = sorted(known, key=lambda one: one.costs.macs)
    smallest, largest = own[0], own[-1]
    others = [one for one in known if one.number != smallest.number]
    slow = replace(smallest, status="untrained", accuracy=None, curve=(), latency=largest.latency)
    stop = rule.before_training(slow, others)
    assert stop is not None
    assert "before any training" in stop.reason
    assert stop.expected_accuracy < (largest.accuracy or 0)
    as_it_is = replace(slow, latency=smallest.latency)
    assert rule.before_training(as_it_is, others) is None
    assert rule.before_training(slow, others[: FEWEST_BEFORE_TRAINING - 1]) is None
    assert FrontReach(GOALS).before_training(slow, others) is None


def test_networks_outside_the_space_teach_nothing_of_those_inside() -> None:
    rule = FrontReach(GOALS, Foresight(tiny_space(), 10, GOALS, None))
    known = [by_size(number) for number in range(FEWEST_BEFORE_TRAINING + 1)]
    outside = [replace(one, params={}, outside=True) for one in known]
    fresh = replace(known[-1], status="untrained", accuracy=None, curve=())
    assert rule.before_training(fresh, outside) is None
    assert rule.before_training(fresh, [*outside, known[0]]) is None
