"""The sampler that knows what a point costs."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Hashable, Sequence

import numpy as np
import optuna
import pytest
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from optuna.samplers import BaseSampler, RandomSampler

from mbnas.sampling.history import Observed
from mbnas.sampling.known import Known, Params, point_key
from mbnas.sampling.known_cost import KnownCostSampler, first_points
from mbnas.sampling.points import Points
from mbnas.search import hypervolume

LAYERS = 5
SPACE: dict[str, BaseDistribution] = {
    f"width{at}": CategoricalDistribution((1, 2, 4)) for at in range(LAYERS)
}
EVERY = [dict(zip(SPACE, widths, strict=True)) for widths in itertools.product((1, 2, 4), repeat=5)]
REFERENCE = (0.1, 70.0)
Values = Callable[[Params], list[float]]


def cost(point: Params) -> float:
    """Later layers cost more."""
    return float(sum(point[f"width{at}"] * (at + 1) for at in range(LAYERS)))


def costs(points: Sequence[Params]) -> list[float]:
    return [cost(point) for point in points]


def accuracy(point: Params) -> float:
    """Early layers help most, and most where they are as wide as the next."""
    help_ = sum(point[f"width{at}"] * (LAYERS - at) for at in range(LAYERS))
    even = sum(point[f"width{at}"] == point[f"width{at + 1}"] for at in range(LAYERS - 1))
    return 0.9 - 3.0 / (5.0 + help_) + 0.01 * even


def values(point: Params) -> list[float]:
    return [accuracy(point), cost(point)]


def known_cost(
    seed: int = 0,
    most: float | None = None,
    space: dict[str, BaseDistribution] | None = None,
    identity: Callable[[Sequence[Params]], Sequence[Hashable]] | None = None,
) -> KnownCostSampler:
    return KnownCostSampler(
        [Known(costs, 1, most)],
        scales={0: "log_error"},
        space=space or SPACE,
        reference=REFERENCE,
        identity=identity,
        seed=seed,
    )


def searched(
    sampler: BaseSampler,
    trials: int,
    space: dict[str, BaseDistribution] | None = None,
    of: Values = values,
    directions: Sequence[str] = ("maximize", "minimize"),
) -> list[Params]:
    """What a sampler proposes, each evaluated before the next."""
    study = optuna.create_study(directions=list(directions), sampler=sampler)
    for _ in range(trials):
        trial = study.ask(space or SPACE)
        study.tell(trial, of(trial.params))
    return [trial.params for trial in study.get_trials(deepcopy=False)]


def volume(points: Sequence[Params]) -> float:
    return hypervolume([(accuracy(point), cost(point)) for point in points], REFERENCE)


def test_it_beats_drawing_at_random_clearly() -> None:
    ideal = volume(EVERY)
    missed, missed_at_random = [], []
    for seed in range(3):
        missed.append(ideal - volume(searched(known_cost(seed), 20)))
        missed_at_random.append(ideal - volume(searched(RandomSampler(seed), 20)))
    assert sum(missed) < 0.4 * sum(missed_at_random)
    assert max(missed) < min(missed_at_random)


def test_the_first_points_are_spread_over_the_costs() -> None:
    study = optuna.create_study(directions=["maximize", "minimize"], sampler=known_cost())
    count = first_points(Points(SPACE))
    logs = np.log([cost(study.ask(SPACE).params) for _ in range(count)])
    low, high = np.quantile(np.log(costs(EVERY)), [0.01, 0.99])
    thirds = np.floor(3 * (logs - low) / (high - low))
    assert {0.0, 1.0, 2.0} <= set(thirds)


def test_a_limit_is_kept() -> None:
    most = 30.0
    assert sum(cost(point) > most for point in EVERY) > len(EVERY) / 2
    for seed in range(2):
        assert all(cost(point) <= most for point in searched(known_cost(seed, most), 15))


def test_a_limit_is_kept_by_what_is_measured() -> None:
    """Each network takes twice the time foretold, which the first one teaches."""
    first, *others = searched(
        known_cost(most=50.0), 10, of=lambda point: [accuracy(point), 2 * cost(point)]
    )
    assert 2 * cost(first) > 50
    assert all(2 * cost(point) <= 50 for point in others)


def test_a_quantity_that_is_no_objective_may_be_limited() -> None:
    def sizes(points: Sequence[Params]) -> list[float]:
        return [float(sum(point.values())) for point in points]

    sampler = KnownCostSampler([Known(costs, 1), Known(sizes, most=12)], space=SPACE, seed=0)
    assert all(sizes([point])[0] <= 12 for point in searched(sampler, 12))


def test_two_spellings_of_one_network_are_not_both_proposed() -> None:
    # What a layer that is not there would look like is of no account.
    spelled = SPACE | {f"spelling{at}": CategoricalDistribution(tuple("abcdef")) for at in range(4)}

    def identity(points: Sequence[Params]) -> list[Hashable]:
        return [tuple(point[name] for name in SPACE) for point in points]

    networks = identity(searched(known_cost(space=spelled, identity=identity), 20, spelled))
    assert len(set(networks)) == len(networks)


def test_every_network_of_a_small_space_is_proposed_once() -> None:
    few = {name: SPACE[name] for name in list(SPACE)[:2]}
    size = Known(lambda some: [float(sum(point.values())) for point in some], 1)
    sampler = KnownCostSampler([size], space=few, seed=2)
    proposed = searched(sampler, 9, few, lambda p: [p["width0"] / 9, float(sum(p.values()))])
    assert len({point_key(point) for point in proposed}) == 9


def test_one_more_than_a_space_has_is_a_point_all_the_same() -> None:
    few: dict[str, BaseDistribution] = {"x": CategoricalDistribution((1, 2, 3))}
    sampler = KnownCostSampler(space=few, seed=0)
    for point in searched(sampler, 5, few, lambda p: [float(p["x"])], ["minimize"]):
        assert point["x"] in (1, 2, 3)


def test_what_failed_is_not_proposed_again() -> None:
    study = optuna.create_study(directions=["maximize", "minimize"], sampler=known_cost())
    for _ in range(20):
        study.tell(study.ask(SPACE), state=optuna.trial.TrialState.FAIL)
    assert len({point_key(trial.params) for trial in study.trials}) == 20


@pytest.mark.parametrize("reference", [None, (0.1, 70.0, 30.0)])
def test_three_objectives(reference: tuple[float, float, float] | None) -> None:
    """Of which two are known, and one is modelled."""

    def size(point: Params) -> float:
        return float(sum(point.values()))

    sampler = KnownCostSampler(
        [Known(costs, 1), Known(lambda some: [size(point) for point in some], 2)],
        scales={0: "log_error"},
        space=SPACE,
        reference=reference,
        seed=0,
    )
    proposed = searched(
        sampler, 10, of=lambda p: [*values(p), size(p)], directions=("maximize", *["minimize"] * 2)
    )
    assert len({point_key(point) for point in proposed}) == 10
    # All along the front, of costs from 15 to 60.
    assert min(costs(proposed)) <= 20
    assert max(costs(proposed)) >= 40


def test_numbers_of_all_kinds() -> None:
    space: dict[str, BaseDistribution] = {
        "x": FloatDistribution(-1.0, 1.0),
        "rate": FloatDistribution(1e-4, 1.0, log=True),
        "n": IntDistribution(1, 200, log=True),
        "k": IntDistribution(1, 7, step=2),
        "part": FloatDistribution(0.0, 1.0, step=0.25),
        "name": CategoricalDistribution(("a", "b", "c")),
    }

    def off(point: Params) -> float:
        """Least where x is 0.3 and the rate is 0.01."""
        return float((point["x"] - 0.3) ** 2 + 0.1 * np.log10(point["rate"] / 0.01) ** 2)

    def n_and_k(points: Sequence[Params]) -> list[float]:
        return [float(point["n"] * point["k"]) for point in points]

    sampler = KnownCostSampler([Known(n_and_k, 1)], space=space, seed=0)
    proposed = searched(
        sampler, 20, space, lambda p: [off(p), n_and_k([p])[0]], ["minimize", "minimize"]
    )
    for point in proposed:
        for name, distribution in space.items():
            assert distribution._contains(distribution.to_internal_repr(point[name]))
    later = [point for point in proposed[10:] if off(point) < 0.1 and point["n"] < 10]
    assert len(later) >= 5


def test_without_a_space_it_is_what_the_trials_have_in_common() -> None:
    sampler = KnownCostSampler([Known(costs, 1)], seed=0)
    study = optuna.create_study(directions=["maximize", "minimize"], sampler=sampler)
    assert sampler.infer_relative_search_space(study, study.ask()._get_latest_trial()) == {}
    study.tell(study.ask(SPACE), [0.5, 20.0])
    assert sampler.infer_relative_search_space(study, study.ask()._get_latest_trial()) == SPACE


def test_one_objective_that_is_modelled_and_nothing_known() -> None:
    sampler = KnownCostSampler(space=SPACE, seed=0)
    proposed = searched(sampler, 20, of=lambda p: [cost(p)], directions=["minimize"])
    assert min(costs(proposed)) == min(costs(EVERY))


def test_what_is_read_of_a_pruned_trial_teaches_the_cost() -> None:
    def read(trial: optuna.trial.FrozenTrial) -> Observed:
        return Observed((float("nan"), 2 * cost(trial.params)), counts=False)

    sampler = KnownCostSampler([Known(costs, 1, 50.0)], space=SPACE, read=read, seed=0)
    study = optuna.create_study(directions=["maximize", "minimize"], sampler=sampler)
    for _ in range(8):
        study.tell(study.ask(SPACE), state=optuna.trial.TrialState.PRUNED)
    last = study.ask(SPACE)
    assert 2 * cost(last.params) <= 51


def test_a_limit_is_kept_where_nothing_gains_any_more() -> None:
    points = searched(known_cost(2, most=22), 20)
    assert sum(cost(point) <= 22 for point in EVERY) > 20
    assert max(costs(points)) <= 22


def test_a_study_in_which_all_broke_a_constraint_is_gone_on_with() -> None:
    sampler = KnownCostSampler([Known(costs, 1, 40)], space=SPACE, seed=0)
    study = optuna.create_study(directions=["maximize", "minimize"], sampler=sampler)
    for point in EVERY[::40]:
        study.add_trial(
            optuna.create_trial(
                params=point, distributions=SPACE, values=values(point), constraints={"c": 1.0}
            )
        )
    asked = [study.ask(SPACE).params for _ in range(4)]
    assert len({point_key(point) for point in asked}) == 4
    assert max(costs(asked)) <= 40
