from __future__ import annotations

from dataclasses import replace

import pytest
from unit.report.fakes import HOSTILE, every_status, with_trials

from mbnas.report.groups import brief, evaluated, front_and_below, groups, spread, value_of
from mbnas.report.words import size
from mbnas.search import Goals, Study


def test_briefs_are_brief_and_escaped(mixed: Study) -> None:
    lengths = []
    for group, trials in groups(mixed).items():
        for trial in trials:
            text = brief(trial, group, mixed.record.goals)
            lengths.append(len(text.encode()))
            assert text.startswith(f"<b>trial {trial.number}</b> ")
            assert HOSTILE not in text
            assert f"{trial.costs.params:,} parameters" in text
            assert (trial.latency is None) == ("ms (" not in text)
    assert sum(lengths) / len(lengths) <= 120
    assert max(lengths) <= 170


def test_what_was_searched_for_comes_first(mixed: Study) -> None:
    trial = mixed.front[0]
    lines = brief(trial, "front", Goals("macs", (), "balanced_accuracy")).split("<br>")
    assert lines[1] == f"balanced accuracy {trial.balanced_accuracy:.2%}"
    assert lines[2].endswith("MACs")
    lines = brief(trial, "front", Goals("size_bytes", ())).split("<br>")
    assert lines[1:3] == [f"accuracy {trial.accuracy:.2%}", f"size {size(trial.costs.size_bytes)}"]


def test_a_reason_is_cut_to_one_line(mixed: Study) -> None:
    trial = replace(groups(mixed)["failed"][0], reason="first line\n" + "and more " * 20)
    last = brief(trial, "failed", mixed.record.goals).split("<br>")[-1]
    assert last.startswith("<i>first line and more")
    assert last.endswith("...</i>")
    assert len(last) < 50


def test_near_the_front_is_what_lies_least_below_it(mixed: Study) -> None:
    members = mixed.front
    near = front_and_below(mixed, len(members) + 5)
    assert near[: len(members)] == members
    assert len(near) == len(members) + 5

    def gap(number: int) -> float:
        trial = mixed.trial(number)
        cost, last = trial.latency_ms or 0.0, trial.curve[-1].accuracy
        below = [m for m in members if (m.latency_ms or 0.0) <= cost] or members[:1]
        return (below[-1].accuracy or 0.0) - last

    others = [t.number for g in ("dominated", "stopped") for t in groups(mixed)[g]]
    expected = sorted(others, key=gap)[:5]
    assert [trial.number for trial in near[len(members) :]] == expected
    assert front_and_below(mixed, 2) == members[:2]


def test_without_a_front_the_most_accurate_are_near(mixed: Study, bare: Study) -> None:
    assert front_and_below(bare, 5) == []
    stopped = with_trials(mixed, groups(mixed)["stopped"])
    near = front_and_below(stopped, 3)
    best = sorted(stopped.trials, key=lambda trial: -trial.curve[-1].accuracy)
    assert near == best[:3]


def test_the_time_of_no_training_is_not_known(mixed: Study) -> None:
    trial = mixed.trials[0]
    assert value_of(replace(trial, training_seconds=3.0), "training_seconds") == 3.0
    assert value_of(replace(trial, training_seconds=0.0), "training_seconds") is None
    assert value_of(trial, "params") == trial.costs.params


def test_groups_are_found_once_for_a_study(mixed: Study) -> None:
    assert groups(mixed) is groups(mixed)
    other = with_trials(mixed, every_status(mixed, 6))
    assert sum(map(len, groups(other).values())) == len(evaluated(other))


@pytest.mark.parametrize("count", [0, 1, 7, 8, 100])
def test_spread_items_keep_their_ends(count: int) -> None:
    found = spread(range(count), 7)
    assert len(found) == min(count, 7)
    assert found == sorted(set(found))
    if count:
        assert (found[0], found[-1]) == (0, count - 1)
