"""What a study has seen so far."""

from __future__ import annotations

import numpy as np
import optuna
import pytest
from numpy.typing import NDArray
from optuna.distributions import BaseDistribution, CategoricalDistribution
from optuna.trial import FrozenTrial, TrialState

from mbnas.sampling.history import MOST_SEEN, History, Observed, golden, read_trial
from mbnas.sampling.points import Points

SPACE: dict[str, BaseDistribution] = {
    "a": CategoricalDistribution((1, 2, 3)),
    "b": CategoricalDistribution("xy"),
}
POINTS = Points(SPACE)
NOBODY = -1


def new_study() -> optuna.Study:
    return optuna.create_study(directions=["maximize", "minimize"])


def finished(
    a: int,
    b: str = "x",
    values: list[float] | None = None,
    state: TrialState = TrialState.COMPLETE,
    constraints: dict[str, float] | None = None,
) -> FrozenTrial:
    return optuna.create_trial(
        state=state,
        params={"a": a, "b": b},
        distributions=SPACE,
        values=values,
        constraints=constraints,
    )


def test_values_are_turned_so_that_less_is_better() -> None:
    study = new_study()
    study.add_trial(finished(1, "y", [0.75, 20.0]))
    history = History.of(study, NOBODY, POINTS, read_trial)
    assert history.rows.tolist() == [[0.0, 1.0]]
    assert history.losses.tolist() == [[-0.75, 20.0]]
    assert history.signs.tolist() == [-1.0, 1.0]
    assert history.able.tolist() == [True]
    assert history.whole == 1


def test_what_broke_a_constraint_says_something_but_does_not_count() -> None:
    study = new_study()
    study.add_trial(finished(1, values=[0.5, 2.0], constraints={"size": 0.1, "speed": -1.0}))
    study.add_trial(finished(2, values=[0.5, 2.0], constraints={"size": 0.0}))
    history = History.of(study, NOBODY, POINTS, read_trial)
    assert history.able.tolist() == [False, True]
    assert history.whole == 2


@pytest.mark.parametrize("state", [TrialState.PRUNED, TrialState.FAIL])
def test_what_came_to_no_value_is_taken_all_the_same(state: TrialState) -> None:
    study = new_study()
    study.add_trial(finished(3, state=state))
    history = History.of(study, NOBODY, POINTS, read_trial)
    assert history.rows.shape == (0, 2)
    assert history.losses.shape == (0, 2)
    assert history.taken == ({"a": 3, "b": "x"},)


def test_running_trials_are_taken_and_ones_own_is_not() -> None:
    study = new_study()
    study.ask(SPACE)
    own = study.ask(SPACE)
    study.ask()  # has no parameters yet
    study.enqueue_trial({"a": 1, "b": "x"})
    other = study.get_trials(deepcopy=False)[0].params
    history = History.of(study, own.number, POINTS, read_trial)
    assert history.taken == (other,)
    assert history.running.tolist() == [POINTS.row(other).tolist()]


def test_infinite_values_say_nothing() -> None:
    study = new_study()
    study.add_trial(finished(1, values=[0.5, float("inf")]))
    history = History.of(study, NOBODY, POINTS, read_trial)
    assert len(history.rows) == 0
    assert len(history.taken) == 1


def test_a_reader_may_know_one_of_two_values() -> None:
    def read(trial: FrozenTrial) -> Observed:
        return Observed((float("nan"), 3.0), counts=True)

    study = new_study()
    study.add_trial(finished(1, state=TrialState.PRUNED))
    history = History.of(study, NOBODY, POINTS, read)
    assert history.losses[0, 1] == 3.0
    assert history.whole == 0
    assert history.able.tolist() == [False]


def test_a_study_without_trials_is_a_history() -> None:
    history = History.of(new_study(), NOBODY, POINTS, read_trial)
    assert history.rows.shape == history.running.shape == (0, 2)
    assert (history.whole, history.taken) == (0, ())
    assert history.seen() is history


def long_history(losses: NDArray[np.float64], counts: NDArray[np.bool_] | None = None) -> History:
    """Of trials that are told by their rows."""
    count = len(losses)
    return History(
        rows=np.arange(count, dtype=float)[:, None],
        losses=losses,
        signs=np.array([-1.0, 1.0]),
        counts=np.ones(count, dtype=bool) if counts is None else counts,
        running=np.array([[5000.0]]),
        taken=({"a": 1},) * count,
    )


def best_of(losses: NDArray[np.float64]) -> list[int]:
    """Those that no other dominates, by comparing all."""
    return [
        at
        for at, row in enumerate(losses)
        if not np.any(np.all(losses <= row, axis=1) & np.any(losses < row, axis=1))
    ]


def test_of_many_trials_the_best_are_seen_and_a_share_of_all() -> None:
    losses = np.random.default_rng(0).random((2000, 2))
    history = long_history(losses)
    seen = history.seen()
    numbers = seen.rows[:, 0].astype(int)
    assert len(numbers) == MOST_SEEN
    assert set(best_of(losses)) <= set(numbers)
    assert np.all(np.diff(numbers) > 0)
    np.testing.assert_array_equal(seen.losses, losses[numbers])
    assert seen.running is history.running
    assert seen.taken is history.taken  # all of them, so that nothing is proposed twice
    for start in range(0, 2000, 200):
        assert np.any((numbers >= start) & (numbers < start + 200))


def test_what_may_not_be_on_the_front_is_not_among_the_best() -> None:
    losses = np.random.default_rng(1).random((2000, 2))
    counts = np.random.default_rng(2).random(2000) < 0.3
    losses[~counts] -= 1.0  # better than all that count
    losses[7, 0] = np.nan
    seen = long_history(losses, counts).seen()
    numbers = seen.rows[:, 0].astype(int)
    assert len(numbers) <= MOST_SEEN
    np.testing.assert_array_equal(seen.counts, counts[numbers])
    able = np.flatnonzero(counts & np.isfinite(losses[:, 0]))
    assert {int(able[at]) for at in best_of(losses[able])} <= set(numbers)


def test_as_many_as_may_be_seen_are_all_seen() -> None:
    history = long_history(np.random.default_rng(0).random((MOST_SEEN, 2)))
    assert history.seen() is history


def test_golden_places_are_spread_however_many_there_are() -> None:
    for count in (3, 10, 57):
        places = np.sort([golden(number) for number in range(count)])
        gaps = np.diff([*places, places[0] + 1])
        assert gaps.max() < 2 / count
        assert places.min() >= 0
        assert places.max() < 1
