"""Wishes and progress that nobody of mbnas wrote."""

from __future__ import annotations

from pathlib import Path

import pytest

from mbnas.errors import StudyError
from mbnas.search.steering import read_progress, read_wish


@pytest.mark.parametrize(
    "content", [b"[" * 100_000, b'{"wish": {}}', b'{"wish": "no"}', b"null", b"\xff"]
)
def test_what_is_no_wish_is_none(content: bytes, tmp_path: Path) -> None:
    file = tmp_path / "wish.json"
    file.write_bytes(content)
    assert read_wish(file) is None


def test_progress_too_deep_to_read_is_named(tmp_path: Path) -> None:
    (tmp_path / "progress.json").write_text("[" * 100_000)
    with pytest.raises(StudyError, match=f"{tmp_path / 'progress.json'}: damaged"):
        read_progress(tmp_path)


def test_a_loop_in_the_place_of_progress_is_named(tmp_path: Path) -> None:
    (tmp_path / "progress.json").symlink_to("progress.json")
    with pytest.raises(StudyError, match="cannot be read"):
        read_progress(tmp_path)
