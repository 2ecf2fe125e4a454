"""The folders that mbnas writes to: room, whole writes, locks that hold. Each is tried."""

from __future__ import annotations

import contextlib
import os
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil
from filelock import FileLock, Timeout

from mbnas.doctor.apart import ApartError, apart
from mbnas.doctor.finding import Finding, fault, first_line, gib, note, well
from mbnas.doctor.locking import try_lock
from mbnas.files import write_atomically
from mbnas.measure.memory import cache_folder

NEEDED_BYTES = 200 * 2**20
"""Below this a search is about to fail."""
EASY_BYTES = 2 * 2**30
FEW_FILES = 1000
LOCK_SECONDS = 60.0
"""Time for a process to start on a busy machine and to ask for a lock; what hangs takes longer."""
NETWORK_FILE_SYSTEMS = frozenset(
    ("nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "afs", "lustre", "beegfs", "ceph", "gpfs")
)
_OTHER_PLACE = "give yourself the right to write there, or take another folder with --study"


@dataclass(frozen=True, slots=True)
class _Use:
    """What lies on a disk: in which folder, what it is, and how it is put elsewhere."""

    folder: Path
    name: str
    moved_by: str


def disks(study: Path | None) -> list[Finding]:
    """Room where a study, what is learnt of the machine, and temporary files lie."""
    places = (
        (study or Path(), "the study" if study else "this folder", "--study"),
        (Path(tempfile.gettempdir()), "temporary files", "the variable TMPDIR"),
        (cache_folder(), "what is learnt of the machine", "the variable MBNAS_CACHE"),
    )
    by_disk: dict[int, list[_Use]] = {}
    for path, name, moved_by in places:
        use = _Use(nearest_folder(path), name, moved_by)
        by_disk.setdefault(use.folder.stat().st_dev, []).append(use)
    return [_disk(uses) for uses in by_disk.values()]


def _disk(uses: list[_Use]) -> Finding:
    folder = uses[0].folder
    free = shutil.disk_usage(folder).free
    said = f"{gib(free)} free for {', '.join(use.name for use in uses)} ({folder.resolve()})"
    ways = ", ".join(use.moved_by for use in uses)
    mend = f"free some, or name a folder on another disk with {ways}"
    if free < NEEDED_BYTES:
        return fault("disk", f"{said}; a search needs {gib(NEEDED_BYTES)}", mend)
    if (left := _files_left(folder)) is not None and left < FEW_FILES:
        return fault("disk", f"{said}, but only for {left} more files", mend)
    return note("disk", said, mend) if free < EASY_BYTES else well("disk", said)


def _files_left(folder: Path) -> int | None:
    if not hasattr(os, "statvfs"):
        return None
    there = os.statvfs(folder)
    return there.f_favail if there.f_files else None  # some file systems do not count


def writing(study: Path | None) -> list[Finding]:
    """Whether files, locks and SQLite work where the study is or will be."""
    path = study or Path()
    folder = nearest_folder(path)
    try:
        # Something below a file cannot become a folder.
        if folder != path and not _may_become_folder(path):
            raise NotADirectoryError(20, "Not a directory", str(path))
        with tempfile.TemporaryDirectory(prefix=".mbnas-doctor-", dir=folder) as own:
            tried = Path(own)
            return [_whole_writes(tried, folder), _locks(tried, folder), _sqlite(tried, folder)]
    except OSError as error:
        reason = error.strerror or first_line(error)
        return [fault("writing", f"{path.resolve()}: cannot be written ({reason})", _OTHER_PLACE)]


def _whole_writes(tried: Path, folder: Path) -> Finding:
    file = tried / "file"
    for content in (b"old", b"new"):
        write_atomically(file, content)
    if file.read_bytes() != b"new" or [one.name for one in tried.iterdir()] != ["file"]:
        said = f"{folder.resolve()}: a file that was renamed into place is not what was written"
        return fault("writing", said, "take a folder on a local disk with --study")
    return well("writing", f"files are written whole in {folder.resolve()}")


def _locks(tried: Path, folder: Path) -> Finding:
    """Whether a lock keeps another process out, and is free after."""
    what, file = "locks", tried / "lock"
    kind = _file_system(folder)
    mend = "take a folder on a local disk with --study, or mount this one with locks"
    try:
        with FileLock(file, timeout=0):
            meanwhile = apart(try_lock, str(file), seconds=LOCK_SECONDS)
        after = try_lock(str(file))
    except (ApartError, OSError, NotImplementedError, Timeout) as error:
        said = f"{folder.resolve()} ({kind}): locks do not work ({first_line(error)})"
        return fault(what, said, mend)
    if (meanwhile, after) != ("held", "free"):
        said = f"{folder.resolve()} ({kind}): a lock keeps no other process out"
        if meanwhile == "held":
            said = f"{folder.resolve()} ({kind}): a lock that was given back stays held"
        return fault(what, f"{said}; two searches could write to one study", mend)
    if kind.startswith("fuse") or kind in NETWORK_FILE_SYSTEMS:
        said = f"a second process is kept out; {kind} is shared, other hosts were not tried"
        return note(what, said, "searching from several hosts? Use --storage with a server's URL")
    return well(what, f"a second process is kept out ({kind})")


def _sqlite(tried: Path, folder: Path) -> Finding:
    """Whether a database with a log beside it works, which is how a study has it."""
    what, file = "SQLite", tried / "try.db"
    mend = "take a folder on a local disk with --study, or a server with --storage"
    try:
        with contextlib.closing(sqlite3.connect(file, timeout=5)) as one:
            (mode,) = one.execute("PRAGMA journal_mode=WAL").fetchone()
            with one:
                one.execute("CREATE TABLE tried (number INTEGER)")
                one.execute("INSERT INTO tried VALUES (17)")
            with contextlib.closing(sqlite3.connect(file, timeout=5)) as other:
                (number,) = other.execute("SELECT number FROM tried").fetchone()
    except sqlite3.Error as error:
        return fault(what, f"{folder.resolve()}: no database works here ({error})", mend)
    if number != 17 or mode != "wal":
        said = f"{folder.resolve()}: a database works, but keeps no log beside it ({mode})"
        return note(what, said, mend)
    return well(what, f"a database works in {folder.resolve()}")


def shared_files() -> list[Finding]:
    """The files through which all mbnas on the machine share cores, and what is learnt of it."""
    return [_core_locks(), *_cache()]


def _core_locks() -> Finding:
    what, folder = "core locks", Path(tempfile.gettempdir())
    files = sorted(folder.glob("mbnas-cores*.lock"))
    shut = [file for file in files if not os.access(file, os.W_OK)]
    mend = f"their owner: chmod 666 {folder / 'mbnas-cores*.lock'}"
    if shut:
        said = f"{shut[0]} and {len(shut) - 1} more" if len(shut) > 1 else str(shut[0])
        return fault(what, f"{said}: cannot be written, so nothing can be measured", mend)
    if not os.access(folder, os.W_OK):
        said = f"{folder}: cannot be written, so nothing can be measured"
        return fault(what, said, "export TMPDIR=, a folder that all who measure here can write")
    if os.name == "posix" and (own := [file for file in files if not _is_for_all(file)]):
        said = f"{own[0]}: other users cannot write it, so they cannot measure here"
        return note(what, said, mend)
    return well(what, f"all who measure on this machine meet in {folder}")


def _is_for_all(file: Path) -> bool:
    return bool(file.stat().st_mode & 0o002)


def _cache() -> list[Finding]:
    """A finding only where it cannot be written: the others tell where it is."""
    folder = cache_folder()
    mend = "export MBNAS_CACHE=, a folder that you can write"
    try:
        if not _may_become_folder(folder):
            raise NotADirectoryError(20, "Not a directory", str(folder))
        with tempfile.TemporaryFile(dir=nearest_folder(folder)):
            return []
    except OSError as error:
        reason = error.strerror or first_line(error)
        said = f"{folder}: cannot be written ({reason}); every process learns the machine anew"
        return [note("cache", said, mend)]


def nearest_folder(path: Path) -> Path:
    """The path itself, or what is there of the way to it."""
    return next(one for one in _way_up(path) if one.is_dir())


def _may_become_folder(path: Path) -> bool:
    return next(one for one in _way_up(path) if one.exists() or one.is_symlink()).is_dir()


def _way_up(path: Path) -> Iterator[Path]:
    if path.is_dir():
        yield path
    yield from (path.absolute(), *path.absolute().parents)


def _file_system(folder: Path) -> str:
    """Such as `ext4`; `unknown` where it cannot be told."""
    where = folder.resolve()
    every = psutil.disk_partitions(all=True)
    above = [one for one in every if where.is_relative_to(one.mountpoint)]
    longest = max(above, key=lambda one: len(one.mountpoint), default=None)
    return "unknown" if longest is None else longest.fstype
