"""Processes that search, to be stopped and killed at any moment."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil
from chaos_checks import whole_results

from mbnas.search.holder import read_holder

PATIENCE_SECONDS = 300.0
LOOK_SECONDS = 0.002
THREADS = 2
"""This one, and one that waits for nothing since onnxruntime was imported."""


@dataclass
class Child:
    """A process that searches.

    Attributes:
        pid: Its number.
        study: The folder of its study.
        log: What it prints.
    """

    pid: int
    study: Path
    log: Path
    _status: int | None = None

    def until_it_holds(self) -> None:
        """Waits until it has its study; of a new one, that is before anything is written."""
        self._wait_for(lambda: _holder(self.study) == self.pid, PATIENCE_SECONDS)

    def stopped_after(self, seconds: float) -> bool:
        """Stops it after some seconds; says whether it was still there to be stopped."""
        self._wait_for(lambda: False, seconds)
        if self._status is not None:
            return False
        os.kill(self.pid, signal.SIGSTOP)
        _, status = os.waitpid(self.pid, os.WUNTRACED)
        if not os.WIFSTOPPED(status):
            self._status = status
        return self._status is None

    def killed_with(self, results: int) -> dict[str, str]:
        """Kills it once there are so many results; gives those that are there by then."""
        self._wait_for(lambda: len(whole_results(self.study)) >= results, PATIENCE_SECONDS)
        if not self.stopped_after(0.0):
            raise RuntimeError(f"the search ended before it could be killed: {self.said()}")
        before = whole_results(self.study)
        self.kill()
        return before

    def kill(self) -> None:
        """Kills it as `kill -9` does, stopped or not."""
        os.kill(self.pid, signal.SIGKILL)
        _, self._status = os.waitpid(self.pid, 0)

    def code(self) -> int | str:
        """How it ended; it is given some minutes."""
        self._wait_for(lambda: False, PATIENCE_SECONDS)
        if self._status is None:
            self.kill()
            return "hangs"
        return os.waitstatus_to_exitcode(self._status)

    def said(self) -> str:
        """The end of what it printed."""
        return self.log.read_text(errors="replace")[-2000:]

    def _wait_for(self, there: Callable[[], bool], seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while self._status is None and not there() and time.monotonic() < deadline:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self._status = status
            else:
                time.sleep(LOOK_SECONDS)


def _holder(study: Path) -> int | None:
    holder = read_holder(study)
    return None if holder is None else holder.process.pid


def _log(study: Path) -> Path:
    study.parent.mkdir(parents=True, exist_ok=True)
    return study.with_name(f"{study.name}.log")


def forked(search: Callable[[], object], study: Path) -> Child:
    """A search in a copy of this process, which has imported everything and holds no locks."""
    threads = psutil.Process().num_threads()
    if threads > THREADS:
        raise RuntimeError(f"{threads} threads: cannot be forked")
    log = _log(study)
    pid = os.fork()
    if pid:
        return Child(pid, study, log)
    code = 1
    try:
        _print_to(log)
        search()
        code = 0
    except BaseException:  # noqa: BLE001 - its code and its log say so
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(code)


def _print_to(log: Path) -> None:
    descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    for stream in (1, 2):
        os.dup2(descriptor, stream)


def spawned(command: Sequence[str], study: Path, root: Path) -> Child:
    """A search by a command."""
    log = _log(study)
    with log.open("ab") as file:
        process = subprocess.Popen(command, stdout=file, stderr=file, cwd=root)
    process.returncode = 0  # it is waited for here, not by subprocess
    return Child(process.pid, study, log)


def where_it_fell(study: Path) -> str:
    """What a search was doing when it was killed, by what it left."""
    if not (study / "study.json").exists():
        return "before study.json was there"
    running = _running(study)
    if running is None:
        return "before the database was there"
    if not running:
        return "between two trials"
    folders = [study / "trials" / f"{number:05d}" for number in running]
    if any((folder / "result.json").exists() for folder in folders):
        return "between a trial's files and Optuna's word of it"
    if any((folder / "architecture.json").exists() for folder in folders):
        return "amid the writing of a trial's files"
    if any((folder / "checkpoint.pt").exists() for folder in folders):
        return "in a training"
    choices = max(running.values())
    if choices < len(_choices(study)):
        return "in an ask"
    return "between an ask and the first epoch's end"


def _choices(study: Path) -> Sequence[str]:
    from mbnas.space import load_space

    return [choice.name for choice in load_space(study / "space.toml").choices]


def _running(study: Path) -> dict[int, int] | None:
    """The choices made of each running trial, read from a copy: nothing is mended by looking."""
    with tempfile.TemporaryDirectory() as folder:
        for name in ("study.db", "study.db-wal"):
            with contextlib.suppress(FileNotFoundError):
                shutil.copy(study / name, folder)
        query = (
            "SELECT number, (SELECT COUNT(*) FROM trial_params p WHERE p.trial_id = t.trial_id)"
            " FROM trials t WHERE state = 'RUNNING'"
        )
        try:
            with contextlib.closing(sqlite3.connect(Path(folder) / "study.db")) as database:
                return dict(database.execute(query).fetchall())
        except sqlite3.Error:
            return None
