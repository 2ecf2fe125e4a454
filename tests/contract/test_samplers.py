"""What every sampler keeps: Optuna's own conformance suites, and one for those that have names."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import optuna
import pytest
from optuna.distributions import BaseDistribution, CategoricalDistribution
from optuna.samplers import BaseSampler
from optuna.testing import pytest_samplers

from mbnas.sampling.history import read_trial
from mbnas.sampling.known import Known, Params, point_key
from mbnas.sampling.known_cost import KnownCostSampler
from mbnas.sampling.local_search import LocalSearchSampler
from mbnas.search.samplers import SAMPLERS, SamplerSource, Setting

Make = Callable[[], BaseSampler]


class TestKnownCostAsOptunaHasIt(
    pytest_samplers.BasicSamplerTestCase,
    pytest_samplers.RelativeSamplerTestCase,
    pytest_samplers.MultiObjectiveSamplerTestCase,
):
    @pytest.fixture
    def sampler(self) -> Make:
        return lambda: KnownCostSampler(seed=0)


class TestLocalSearchAsOptunaHasIt(
    pytest_samplers.BasicSamplerTestCase,
    pytest_samplers.RelativeSamplerTestCase,
    pytest_samplers.MultiObjectiveSamplerTestCase,
):
    @pytest.fixture
    def sampler(self) -> Make:
        # With fewer drawn at random than the suites' shortest studies have trials.
        return lambda: LocalSearchSampler(startup=2, seed=0)


SPACE: dict[str, BaseDistribution] = {
    "width": CategoricalDistribution((8, 16, 24, 32)),
    "depth": CategoricalDistribution((1, 2, 3)),
    "kernel": CategoricalDistribution((3, 5)),
    "block": CategoricalDistribution(("plain", "residual", "inverted")),
    "attention": CategoricalDistribution((False, True)),
}
DIRECTIONS = ["maximize", "minimize"]
BLOCK = {"plain": 1.0, "residual": 1.2, "inverted": 1.5}
every_name = pytest.mark.parametrize("name", SAMPLERS)


def cost(point: Params) -> float:
    """Like a latency, the product of what it is made of."""
    layer = point["width"] * point["kernel"] * BLOCK[point["block"]]
    return float(layer * point["depth"] * (1.1 if point["attention"] else 1.0) / 100)


def accuracy(point: Params) -> float:
    """Grows ever more slowly with the cost, and some choices help for nothing."""
    own = {"plain": 0.0, "residual": 0.05, "inverted": 0.02}[point["block"]]
    return 0.9 - 0.3 / (1 + cost(point)) + own + (0.01 if point["kernel"] == 5 else 0.0)


def costs(points: Sequence[Params]) -> list[float]:
    return [cost(point) for point in points]


def identities(points: Sequence[Params]) -> list[Any]:
    return [point_key(point) for point in points]


def values(point: Params) -> list[float]:
    return [accuracy(point), cost(point)]


def assert_in_space(point: Params) -> None:
    assert point.keys() == SPACE.keys()
    for parameter, distribution in SPACE.items():
        assert distribution._contains(distribution.to_internal_repr(point[parameter]))


def setting(seed: int) -> Setting:
    return Setting(
        distributions=SPACE,
        knowns=[Known(costs, objective=1)],
        identity=identities,
        read=read_trial,
        reference=(0.3, 10.0),
        seed=seed,
    )


def searched(name: str, seed: int, trials: int, in_flight: int = 1) -> list[Params]:
    """Points in the order in which a named sampler proposes them, some at a time in flight."""
    source = SamplerSource(name, setting(seed))
    study = optuna.create_study(directions=DIRECTIONS)
    flying: list[optuna.Trial] = []
    for number in range(trials):
        if len(flying) == in_flight:
            first = flying.pop(0)
            study.tell(first, values(first.params))
        study.sampler = source.for_trial(number)
        flying.append(study.ask(SPACE))
    return [trial.params for trial in study.get_trials(deepcopy=False)]


@every_name
def test_proposals_depend_on_the_seed_and_the_values_alone(name: str) -> None:
    first = searched(name, seed=3, trials=8)
    for point in first:
        assert_in_space(point)
    assert searched(name, seed=3, trials=8) == first
    assert searched(name, seed=4, trials=8) != first


@every_name
def test_a_search_broken_off_goes_on_as_if_it_had_not_been(name: str) -> None:
    whole = searched(name, seed=5, trials=8)
    study = optuna.create_study(directions=DIRECTIONS)
    for point in whole[:5]:
        study.add_trial(
            optuna.create_trial(params=dict(point), distributions=SPACE, values=values(point))
        )
    source = SamplerSource(name, setting(5))
    for number, point in enumerate(whole[5:], start=5):
        study.sampler = source.for_trial(number)
        trial = study.ask(SPACE)
        assert trial.params == point
        study.tell(trial, values(trial.params))


@every_name
def test_four_may_be_in_flight(name: str) -> None:
    proposed = searched(name, seed=1, trials=12, in_flight=4)
    for start in range(0, 12, 4):
        # Drawn blindly, two of four may be the same, but hardly all.
        assert len({point_key(point) for point in proposed[start : start + 4]}) > 1
    for point in proposed:
        assert_in_space(point)


@pytest.mark.parametrize("in_flight", [1, 4])
@pytest.mark.parametrize(("name", "blind"), [("known_cost", 0), ("local", 10)])
def test_no_twin_of_a_known_network_nor_of_one_in_flight(
    name: str, blind: int, in_flight: int
) -> None:
    """Local search draws its first ten blindly, without a look at what is known."""
    for seed in range(2):
        proposed = searched(name, seed, 20, in_flight)
        for number in range(blind + in_flight - 1 if blind else 0, len(proposed)):
            assert proposed[number] not in proposed[:number]
