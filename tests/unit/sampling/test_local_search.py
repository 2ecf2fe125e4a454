"""Local search next to the front."""

from __future__ import annotations

from collections.abc import Sequence

import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution

from mbnas.sampling.known import Params, point_key
from mbnas.sampling.local_search import LocalSearchSampler

SPACE: dict[str, BaseDistribution] = {
    f"x{at}": CategoricalDistribution(tuple(range(4))) for at in range(5)
}
STARTUP = 4


def values(point: Params) -> list[float]:
    return [float(sum(point.values())), float(sum((3 - v) ** 2 for v in point.values()))]


def searched(seed: int, trials: int) -> list[Params]:
    study = optuna.create_study(
        directions=["minimize", "minimize"],
        sampler=LocalSearchSampler(STARTUP, space=SPACE, seed=seed),
    )
    for _ in range(trials):
        trial = study.ask(SPACE)
        study.tell(trial, values(trial.params))
    return [trial.params for trial in study.get_trials(deepcopy=False)]


def dominated(point: Params, others: Sequence[Params]) -> bool:
    own = values(point)
    return any(
        values(other) != own and all(o <= v for o, v in zip(values(other), own, strict=True))
        for other in others
    )


def apart(one: Params, other: Params) -> int:
    return sum(one[name] != other[name] for name in SPACE)


def test_after_the_first_points_it_stays_next_to_the_front() -> None:
    for seed in range(5):
        proposed = searched(seed, 30)
        for number in range(STARTUP, 30):
            before = proposed[:number]
            front = [point for point in before if not dominated(point, before)]
            assert any(apart(proposed[number], member) == 1 for member in front)
            assert proposed[number] not in before


def test_what_broke_a_constraint_is_not_gone_beside() -> None:
    best, other = dict.fromkeys(SPACE, 0), dict.fromkeys(SPACE, 3)
    study = optuna.create_study(sampler=LocalSearchSampler(2, space=SPACE, seed=0))
    for point, value, over in ((best, 0.0, 1.0), (other, 1.0, -1.0)):
        study.add_trial(
            optuna.create_trial(
                params=point, distributions=SPACE, value=value, constraints={"size": over}
            )
        )
    for _ in range(5):
        assert apart(study.ask(SPACE).params, other) == 1


def test_where_every_neighbour_is_known_it_draws_at_random() -> None:
    few: dict[str, BaseDistribution] = {"x": CategoricalDistribution((1, 2))}
    study = optuna.create_study(sampler=LocalSearchSampler(1, space=few, seed=0))
    for _ in range(6):
        trial = study.ask(few)
        study.tell(trial, trial.params["x"])
    assert {trial.params["x"] for trial in study.trials} == {1, 2}


def test_along_a_range_it_comes_close_to_the_best() -> None:
    space: dict[str, BaseDistribution] = {"x": FloatDistribution(0.0, 10.0)}
    study = optuna.create_study(sampler=LocalSearchSampler(3, space=space, seed=0))
    for _ in range(40):
        trial = study.ask(space)
        study.tell(trial, (trial.params["x"] - 3.3) ** 2)
    assert abs(study.best_params["x"] - 3.3) < 0.3


def test_proposals_depend_on_the_seed_and_the_study() -> None:
    assert searched(1, 12) == searched(1, 12)
    assert searched(1, 12) != searched(2, 12)
    assert len({point_key(searched(seed, 1)[0]) for seed in range(5)}) > 1
