"""What may be asked for, and what is said of what may not."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from mbnas.errors import StudyError
from mbnas.search import Budget, Goals, Limit, maximize, minimize
from mbnas.search.samplers import check_sampler


def test_limits_of_objectives_and_others_come_together() -> None:
    goals = Goals.of(
        [minimize("latency_ms", limit=5), maximize("accuracy")], [Limit("params", 1e6)]
    )
    assert goals.quantities == ("accuracy", "latency_ms")
    assert [(limit.quantity, limit.most) for limit in goals.limits] == [
        ("latency_ms", 5),
        ("params", 1e6),
    ]


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (lambda: minimize("latency"), 'did you mean "latency_ms"'),
        (lambda: maximize("speed"), "only accuracy or balanced_accuracy"),
        (lambda: Limit("params", 0), "must be a number above 0"),
        (lambda: Limit("params", float("inf")), "must be a number above 0"),
        (lambda: Limit("parms", 1), 'did you mean "params"'),
        (lambda: Goals.of([maximize("accuracy")]), "accuracy and one cost"),
        (lambda: Goals.of([minimize("macs"), minimize("params")]), "accuracy and one cost"),
        (
            lambda: Goals.of([maximize("accuracy"), minimize("macs", limit=2)], [Limit("macs", 1)]),
            "given twice",
        ),
        (lambda: check_sampler("nsga"), 'did you mean "nsga2"'),
        (lambda: Budget(None, None), "say how long"),
        (lambda: Budget(0, None), "at least 1"),
        (lambda: Budget(None, -1), "above 0"),
    ],
)
def test_mistakes_are_told_in_one_line(wrong: Callable[[], object], words: str) -> None:
    with pytest.raises(StudyError, match=words) as error:
        wrong()
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(("cost", "quality"), [("speed", "accuracy"), ("params", "params")])
def test_goals_of_no_quantity_are_refused(cost: str, quality: str) -> None:
    with pytest.raises(StudyError, match=r"not a cost|no quality"):
        Goals(cost, (), quality)


def test_a_quantity_is_shown_on_one_short_line() -> None:
    with pytest.raises(StudyError) as caught:
        Goals("a\n" * 5000, ())
    assert len(str(caught.value)) < 200
    assert "\n" not in str(caught.value)
