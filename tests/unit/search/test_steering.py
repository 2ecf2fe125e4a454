"""When a search is taken for alive."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import asdict, replace
from datetime import timedelta
from pathlib import Path

import pytest

from mbnas.errors import StudyError
from mbnas.search.holder import Process
from mbnas.search.record import now
from mbnas.search.steering import (
    Progress,
    pause_search,
    read_progress,
    read_wish,
)

HERE = Progress(
    **asdict(Process.this()),
    state="searching",
    began=now(),
    written=now(),
    trials=5,
    seconds=None,
    evaluated=0,
    elapsed=0.0,
    seconds_left=None,
    in_evaluation=(),
)


def test_a_search_lives_as_long_as_its_process() -> None:
    assert HERE.is_alive
    assert replace(HERE, state="paused", written=now() - timedelta(days=1)).is_alive
    assert not replace(HERE, state="ended").is_alive
    assert not replace(HERE, process_began=HERE.process_began - 60).is_alive, "the pid's next owner"
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        process.wait()
    assert not replace(HERE, pid=process.pid).is_alive


def test_on_another_host_it_lives_for_a_minute_after_its_last_word() -> None:
    elsewhere = replace(HERE, host="elsewhere", pid=1, written=now())
    assert elsewhere.is_alive
    assert not replace(elsewhere, state="ended").is_alive
    assert not replace(elsewhere, written=now() - timedelta(seconds=90)).is_alive


def test_progress_is_read_as_it_was_written(tmp_path: Path) -> None:
    assert read_progress(tmp_path) is None
    assert read_progress(tmp_path / "nowhere") is None
    (tmp_path / "progress.json").write_bytes(HERE.to_json())
    assert read_progress(tmp_path) == HERE


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ('"searching"', '"searchin"', "damaged at state"),
        ("}", "", "damaged at its text"),
        ('"schema_version": 1', '"schema_version": 2', "schema 2; this mbnas reads 1"),
        ('Z",', '",', "damaged at began"),
    ],
)
def test_a_damaged_file_is_named(old: str, new: str, words: str, tmp_path: Path) -> None:
    text = HERE.to_json().decode()
    assert old in text
    (tmp_path / "progress.json").write_text(text.replace(old, new))
    with pytest.raises(StudyError, match=rf"progress\.json: {words}"):
        read_progress(tmp_path)


@pytest.mark.parametrize("text", ["", "[]", '{"wish": "fly"}', '{"wish": []}', "\x00"])
def test_a_wish_that_cannot_be_read_is_none(text: str, tmp_path: Path) -> None:
    (tmp_path / "wish.json").write_text(text)
    assert read_wish(tmp_path / "wish.json") is None


def test_what_is_no_study_is_said_to_be_none(tmp_path: Path) -> None:
    with pytest.raises(StudyError, match="no such folder"):
        pause_search(tmp_path / "nowhere")
    with pytest.raises(StudyError, match="not a study"):
        pause_search(tmp_path)
