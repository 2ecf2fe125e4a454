"""A study read again while it grows."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from unit.report.fakes import every_status, searched

from mbnas.search import Study
from mbnas.search.watched import WatchedStudy


@pytest.fixture
def study(tmp_path: Path) -> Study:
    return searched(tmp_path / "growing")


def numbers(watched: WatchedStudy) -> list[int]:
    assert watched.study is not None
    return [trial.number for trial in watched.study.trials]


def test_only_what_is_new_is_read(study: Study) -> None:
    watched = WatchedStudy(study.folder.path)
    assert watched.look()
    assert numbers(watched) == [0]
    assert not watched.look()
    first = watched.study
    trials = every_status(study, 12)
    for number in (7, 3):  # ends come in any order
        study.folder.write_trial(trials[number], {}, None)
    assert watched.look()
    assert numbers(watched) == [0, 3, 7]
    assert first is not None
    assert len(first.trials) == 1
    assert watched.study is not None
    assert watched.study.trials[0] is first.trials[0]
    (study.folder.trial_folder(9)).mkdir()  # begun, at no end
    assert not watched.look()


def test_a_study_that_is_not_there_yet_appears(study: Study, tmp_path: Path) -> None:
    later = tmp_path / "later"
    watched = WatchedStudy(later)
    assert watched.look()
    assert watched.problem is not None
    assert "no such folder" in watched.problem
    assert not watched.look()
    later.mkdir()
    assert watched.look()
    assert watched.study is None
    shutil.copytree(study.folder.path, later, dirs_exist_ok=True)
    assert watched.look()
    assert watched.problem is None
    assert numbers(watched) == [0]
    shutil.rmtree(later)
    assert watched.look()
    assert watched.study is None
    assert watched.problem is not None


def test_damaged_trials_are_named_and_the_others_shown(study: Study) -> None:
    for trial in every_status(study, 6)[1:]:
        study.folder.write_trial(trial, {}, None)
    for number, content in (
        (2, b"{"),
        (3, b"\xff\xfe"),
        (4, b"[" * 100_000),
        (5, b'{"number": 5}'),
    ):
        (study.folder.trial_folder(number) / "result.json").write_bytes(content)
    watched = WatchedStudy(study.folder.path)
    assert watched.look()
    assert numbers(watched) == [0, 1]
    assert sorted(watched.damaged) == [2, 3, 4, 5]
    for number, said in watched.damaged.items():
        assert f"{number:05d}/result.json: damaged" in said
        assert "\n" not in said
    assert not watched.look()
    study.folder.write_trial(replace(study.trials[0], number=5), {}, None)
    assert watched.look(), "a search that goes on writes it anew"
    assert numbers(watched) == [0, 1, 5]
    assert sorted(watched.damaged) == [2, 3, 4]


@pytest.mark.parametrize("file", ["study.json", "space.toml"])
def test_a_damaged_study_is_told_in_a_line(study: Study, file: str) -> None:
    (study.folder.path / file).write_bytes(b"\x00nonsense")
    watched = WatchedStudy(study.folder.path)
    assert watched.look()
    assert watched.study is None
    assert watched.problem is not None
    assert file in watched.problem
    assert "\n" not in watched.problem


def test_another_study_in_the_same_folder(study: Study) -> None:
    watched = WatchedStudy(study.folder.path)
    watched.look()
    study.folder.write_trial(every_status(study, 2)[1], {}, None)
    watched.look()
    record = study.record.model_copy(update={"created": study.record.created.replace(year=2020)})
    shutil.rmtree(study.folder.trial_folder(1))
    study.folder.write_record(record)
    assert watched.look()
    assert numbers(watched) == [0]
