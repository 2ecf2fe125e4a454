"""What a budget buys."""

from __future__ import annotations

import pytest

from mbnas.dashboard.budget import offer, offer_said
from mbnas.search import Study


def test_the_best_within_a_budget_and_the_next_beyond(study: Study) -> None:
    front, goals = study.front, study.record.goals
    assert len(front) > 2
    for at, trial in enumerate(front):
        cost = trial.value(goals.cost)
        assert cost is not None
        found = offer(front, goals, cost)
        assert found.best is trial
        assert found.next is (front[at + 1] if at + 1 < len(front) else None)
        less = offer(front, goals, cost * 0.999)
        assert less.next is trial


def test_what_is_said_of_it(study: Study) -> None:
    front, goals = study.front, study.record.goals
    cheapest, second = front[0], front[1]
    assert cheapest.latency_ms is not None
    assert second.latency_ms is not None
    assert cheapest.accuracy is not None
    assert second.accuracy is not None
    said = offer_said(offer(front, goals, cheapest.latency_ms), goals, cheapest.latency_ms)
    assert f"trial {cheapest.number}: {cheapest.accuracy:.2%}" in said
    assert f"would buy {100 * (second.accuracy - cheapest.accuracy):#.3g} points" in said
    assert f"(trial {second.number})" in said
    least = offer_said(offer(front, goals, 0.0), goals, 0.0)
    assert f"no network; the cheapest is trial {cheapest.number}" in least
    most = offer_said(offer(front, goals, 1e9), goals, 1e9)
    assert "Nothing on the front is more accurate" in most
    assert offer_said(offer([], goals, 1.0), goals, 1.0) == "No network is on the front yet."


@pytest.mark.parametrize("budget", [-1.0, 0.0, 1e-9])
def test_an_impossible_budget(study: Study, budget: float) -> None:
    assert offer(study.front, study.record.goals, budget).best is None
