"""Searches replayed on small tables whose answers are known."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from integration.studies import fake_search

from mbnas.analysis.known_table import Columns, KnownTable, read_table, table_of_study
from mbnas.analysis.simulation import Needed, Plan, Run, needed, replay, simulate
from mbnas.errors import StudyError
from mbnas.report.simulation_page import needed_said

COLUMNS = Columns(
    choices=("arch",), maximize=("acc1", "acc2"), minimize="ms", reference=("0.2", "max")
)


def written(tmp_path: Path, text: str) -> Path:
    file = tmp_path / "table.csv"
    file.write_text(text)
    return file


def grid(tmp_path: Path) -> KnownTable:
    """Three choices of three: each adds accuracy and time; `0` first and last are one network."""
    lines = ["arch,acc1,acc2,ms"]
    for first in range(3):
        for middle in range(3):
            for last in range(3):
                quality = 0.5 + 0.05 * max(first, last) + 0.11 * middle + 0.001 * min(first, last)
                ms = 1 + first + last + middle
                lines.append(f"{first}{middle}{last},{quality},{quality + 0.01},{ms}")
    return read_table(written(tmp_path, "\n".join(lines) + "\n"), COLUMNS)


def test_characters_of_one_column_are_choices_and_equal_measurements_one_network(
    tmp_path: Path,
) -> None:
    table = grid(tmp_path)
    assert table.choices == dict.fromkeys(("arch1", "arch2", "arch3"), ("0", "1", "2"))
    # Swapping first and last changes nothing: 6 of each 9.
    assert (len(table.points), table.size) == (27, 18)
    assert table.reference == (0.2, 7.0)
    assert table.hypervolume == pytest.approx(table.hypervolume_of(range(27)))
    one, other = (table.row({"arch1": a, "arch2": "1", "arch3": b}) for a, b in ("02", "20"))
    assert one != other
    assert table.networks[one] == table.networks[other]


def test_networks_alike_by_chance_are_told_apart_by_costs_that_no_timing_explains(
    tmp_path: Path,
) -> None:
    rows = [("00", 0.5, 1.0), ("01", 0.5, 1.2), ("02", 0.5, 1.3), ("10", 0.6, 0), ("11", 0.6, 2)]
    lines = [f"{arch},{quality},{quality},{ms}" for arch, quality, ms in rows]
    table = read_table(written(tmp_path, "\n".join(["arch,acc1,acc2,ms", *lines])), COLUMNS)
    assert table.networks.tolist() == [0, 0, 1, 2, 3]


def test_several_columns_are_choices_and_a_missing_point_is_the_nearest_row(tmp_path: Path) -> None:
    text = "width,kernel,acc,ms\n8,3,0.5,1\n16,3,0.6,2\n16,5,0.7,3\n"
    columns = Columns(choices=("width", "kernel"), maximize=("acc",), minimize="ms")
    table = read_table(written(tmp_path, text), columns)
    assert table.size == 3
    assert table.row({"width": "8", "kernel": "5"}) in (0, 2)
    assert table.row({"width": "16", "kernel": "5"}) == 2


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("arch,acc1,acc2\n00,0.5,0.5\n", 'no column "ms"'),
        ("arch,acc1,acc2,ms\n00,0.5,much,1\n", "acc2 = much in row 1"),
        ("arch,acc1,acc2,ms\n", "has no rows"),
        ("", "cannot be read as CSV"),
        (
            "arch,acc1,acc2,ms\n01,0.5,0.5,1\n00,0.5,0.5,1\n01,0.5,0.6,1\n",
            "arch = 01 in rows 1 and 3, with different results; name all columns of choices",
        ),
    ],
)
def test_faults_of_a_table_are_told_in_one_line(text: str, words: str, tmp_path: Path) -> None:
    with pytest.raises(StudyError, match=words) as error:
        read_table(written(tmp_path, text), COLUMNS)
    assert "\n" not in str(error.value)


def test_a_row_that_stands_twice_is_one_point(tmp_path: Path) -> None:
    text = "arch,acc1,acc2,ms\n00,0.5,0.5,1\n01,0.6,0.6,2\n00,0.5,0.5,1\n"
    assert read_table(written(tmp_path, text), COLUMNS).size == 2


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"choices": ("arch", "arch")}, "choices = arch: stands in choices already"),
        ({"maximize": ("acc1", "arch")}, "maximize = arch: stands in choices already"),
        ({"minimize": "acc1"}, "minimize = acc1: stands in maximize already"),
        ({"known": ("ms",)}, "known = ms: stands in minimize already"),
    ],
)
def test_a_column_stands_in_one_place(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(StudyError, match=f"{words}; name each column once"):
        replace(COLUMNS, **changes)


@pytest.mark.parametrize("number", ["1e309", "nan", "-inf", "low"])
def test_a_reference_point_is_finite(number: str, tmp_path: Path) -> None:
    file = written(tmp_path, "arch,acc1,acc2,ms\n00,0.5,0.5,1\n")
    for reference in ((number, "max"), ("min", number)):
        with pytest.raises(StudyError, match=f'reference "{number}": write a finite number'):
            read_table(file, replace(COLUMNS, reference=reference))


@pytest.mark.parametrize("name", ["choices", "maximize"])
def test_a_table_without_columns_is_refused(name: str) -> None:
    with pytest.raises(StudyError, match=rf"{name} = \[\]: name at least one column"):
        replace(COLUMNS, **{name: ()})  # type: ignore[arg-type]


def test_a_run_counts_networks_once_and_ends_with_all_of_them(tmp_path: Path) -> None:
    table = grid(tmp_path)
    run = replay(table, Plan(seeds=1, trainings=100, error=0.0), "random", 0)
    assert np.all(np.diff(run.shares) >= 0)
    assert len(run.shares) <= table.size
    assert run.shares[-1] >= 0.995


def test_the_same_seed_replays_the_same_and_samplers_meet_the_same_world(tmp_path: Path) -> None:
    table = grid(tmp_path)
    plan = Plan(samplers=("known_cost", "local"), seeds=2, trainings=12)
    one, other = (
        {(run.sampler, run.seed): run.shares.tolist() for run in simulate(table, plan)}
        for _ in range(2)
    )
    assert one == other
    assert len(one) == 4


def test_processes_replay_what_one_does(tmp_path: Path) -> None:
    table = grid(tmp_path)
    plan = Plan(samplers=("known_cost",), seeds=2, trainings=8)
    one, two = (
        {run.seed: run.shares.tolist() for run in simulate(table, plan, workers)}
        for workers in (1, 2)
    )
    assert one == two


def test_several_in_flight_come_to_the_front_too(tmp_path: Path) -> None:
    table = grid(tmp_path)
    plan = Plan(seeds=1, trainings=12, in_flight=4)
    run = replay(table, plan, "known_cost", 0)
    assert run.shares[-1] > 0.9


def test_trainings_needed_are_medians_with_quartiles() -> None:
    runs = [
        Run("one", seed, np.array([*[0.5] * count, 0.96]))
        for seed, count in enumerate((3, 5, 7, 9, 11))
    ]
    found = {one.share: one for one in needed(runs)}
    assert (found[0.95].median, found[0.95].low, found[0.95].high) == (8, 6, 10)
    assert np.isinf(found[0.98].median)


def test_what_a_table_that_is_used_up_does_not_reach_is_said(tmp_path: Path) -> None:
    table = grid(tmp_path)
    never = Needed("random", 0.99, np.inf, np.inf, np.inf)
    seldom = Needed("random", 0.99, 4, 3, np.inf)
    few, all_ = Plan(trainings=table.size - 1), Plan(trainings=table.size)
    assert [needed_said(one, table, few) for one in (never, seldom)] == ["> 17", "4 (3–> 17)"]
    said = [needed_said(one, table, all_) for one in (never, seldom)]
    assert said == ["not reached", "4 (3–not reached)"]


def test_a_finished_study_is_a_table(tmp_path: Path) -> None:
    study = fake_search(tmp_path / "study", sampler="random").run(trials=15)
    table = table_of_study(study)
    assert table.size == 15
    assert table.hypervolume == pytest.approx(study.hypervolume)
    run = replay(table, Plan(trainings=15, error=0.0), "known_cost", 0)
    assert run.shares[-1] > 0.9


def test_mistakes_in_a_plan_are_told(tmp_path: Path) -> None:
    with pytest.raises(StudyError, match='did you mean "random"'):
        Plan(samplers=("randm",))
    with pytest.raises(StudyError, match=r"samplers = \[\]: name at least one"):
        Plan(samplers=())
    for error in (float("nan"), float("inf"), -0.1):
        with pytest.raises(StudyError, match=f"error = {error:g}: must be a number"):
            Plan(error=error)
    with pytest.raises(StudyError, match="seeds = 0"):
        Plan(seeds=0)
    with pytest.raises(StudyError, match="workers = -1: must be at least 1"):
        list(simulate(grid(tmp_path), Plan(), workers=-1))
    flawless = replace(grid(tmp_path), reference=(80.0, 7.0))
    with pytest.raises(StudyError, match=r"better than the reference point \(80, 7\) in both"):
        list(simulate(flawless, Plan()))
