from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest
from filelock import FileLock

from mbnas.doctor import places
from mbnas.doctor.apart import ApartError, apart
from mbnas.doctor.locking import try_lock


@pytest.fixture
def free(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Pretends that so much is free on every disk."""

    def only(size_bytes: int) -> None:
        monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=size_bytes))

    return only


def test_a_full_disk_is_a_fault(free: Callable[[int], None], tmp_path: Path) -> None:
    free(20 * 2**20)
    found = places.disks(tmp_path)
    assert {one.state for one in found} == {"fault"}
    assert all("20 MiB free for" in one.said and one.mend for one in found)
    assert str(tmp_path) in " ".join(one.said for one in found)
    free(2**30)
    assert {one.state for one in places.disks(None)} == {"note"}
    free(2**40)
    assert {one.state for one in places.disks(None)} == {"well"}


def test_the_mend_of_a_full_disk_names_what_moves_that_which_lies_on_it(
    free: Callable[[int], None], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    cache = tmp_path / "cache"
    monkeypatch.setenv("MBNAS_CACHE", str(cache))
    disk_of = {tmp_path: 1, Path(tempfile.gettempdir()): 2, cache: 2}

    def on_its_disk(path: Path) -> SimpleNamespace:
        return SimpleNamespace(stat=lambda: SimpleNamespace(st_dev=disk_of[path]), resolve=str)

    monkeypatch.setattr(places, "nearest_folder", on_its_disk)
    free(0)
    study, others = (str(one.mend) for one in places.disks(tmp_path))
    assert study.endswith("on another disk with --study")
    assert others.endswith("with the variable TMPDIR, the variable MBNAS_CACHE")


def test_a_disk_that_takes_no_more_files(
    free: Callable[[int], None], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    free(2**40)
    monkeypatch.setattr(os, "statvfs", lambda _: SimpleNamespace(f_files=10**6, f_favail=3))
    found = places.disks(tmp_path)[0]
    assert found.state == "fault"
    assert "only for 3 more files" in found.said


def test_files_locks_and_sqlite_work_here_and_nothing_is_left(tmp_path: Path) -> None:
    found = places.writing(tmp_path / "studies" / "new")
    assert [one.what for one in found] == ["writing", "locks", "SQLite"]
    assert {one.state for one in found} <= {"well", "note"}
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("place", ["file/below/study", "file"])
def test_a_place_below_a_file_cannot_be_written(tmp_path: Path, place: str) -> None:
    (tmp_path / "file").touch()
    (found,) = places.writing(tmp_path / place)
    assert found.state == "fault"
    assert str(tmp_path / place) in found.said
    assert "Not a directory" in found.said
    assert found.mend
    assert [one.name for one in tmp_path.iterdir()] == ["file"]


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="needs a folder nobody can write to")
def test_a_folder_that_nobody_can_write_to() -> None:
    (found,) = places.writing(Path("/proc/self"))
    assert found.state == "fault"
    assert "/proc/" in found.said
    assert "cannot be written" in found.said


@pytest.mark.parametrize(
    ("answers", "said"),
    [(["free", "free"], "keeps no other process out"), (["held", "held"], "stays held")],
)
def test_locks_that_do_not_hold_are_a_fault(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, answers: list[str], said: str
) -> None:
    monkeypatch.setattr(places, "apart", lambda *_, **__: answers[0])
    monkeypatch.setattr(places, "try_lock", lambda _: answers[1])
    found = places.writing(tmp_path)[1]
    assert found.state == "fault"
    assert said in found.said
    assert found.mend


def test_locks_that_cannot_be_tried(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def fails(*_: object, **__: object) -> None:
        raise ApartError("no answer within 60 s")

    monkeypatch.setattr(places, "apart", fails)
    assert "locks do not work (no answer" in places.writing(tmp_path)[1].said


def test_a_network_file_system_is_worth_a_note(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    mounts = [
        SimpleNamespace(mountpoint="/", fstype="ext4"),
        SimpleNamespace(mountpoint=str(tmp_path), fstype="nfs4"),
    ]
    monkeypatch.setattr(psutil, "disk_partitions", lambda **_: mounts)
    found = places.writing(tmp_path)[1]
    assert found.state == "note"
    assert "nfs4" in found.said
    assert "--storage" in str(found.mend)


def test_a_lock_is_seen_from_a_second_process(tmp_path: Path) -> None:
    file = tmp_path / "lock"
    with FileLock(file):
        assert apart(try_lock, str(file), seconds=30) == "held"
    assert apart(try_lock, str(file), seconds=30) == "free"


def test_core_locks_that_others_cannot_write(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(tempfile, "gettempdir", lambda: str(tmp_path))
    assert places.shared_files()[0].state == "well"
    lock = tmp_path / "mbnas-cores-3.lock"
    lock.touch(mode=0o644)
    lock.chmod(0o644)
    found = places.shared_files()[0]
    assert (found.what, found.state) == ("core locks", "note")
    assert "chmod 666" in str(found.mend)
    monkeypatch.setattr(os, "access", lambda path, mode: Path(path) != lock)
    found = places.shared_files()[0]
    assert found.state == "fault"
    assert str(lock) in found.said
    assert found.mend


def test_a_cache_below_a_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("MBNAS_CACHE", str(tmp_path / "new" / "cache"))
    assert [one for one in places.shared_files() if one.what == "cache"] == []
    (tmp_path / "file").touch()
    monkeypatch.setenv("MBNAS_CACHE", str(tmp_path / "file" / "cache"))
    found = places.shared_files()[1]
    assert (found.what, found.state) == ("cache", "note")
    assert "MBNAS_CACHE" in str(found.mend)
