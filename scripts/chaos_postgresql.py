"""A study in PostgreSQL, whose server is restarted and stopped at once in the middle of it."""

from __future__ import annotations

import contextlib
import os
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from chaos_checks import counted, faults, records, sequence, summary, told
from chaos_common import Part, Row, fake_search

from mbnas.search import Observer, Snapshot, Trial
from mbnas.search.copying import copy_study
from mbnas.search.storage_url import VARIABLE
from mbnas.testing import FakeTrainer

PACK = 8
BATCH = 9
CHECK = "PostgreSQL, 8 workers, the server restarted (fast) and stopped (immediate) in the middle"
TO_REACH = "nothing lost; as an unbroken search's on SQLite"


class Restarts(Observer):
    """Restarts the server beside the search, whatever that is doing with it."""

    def __init__(self, server: Any, at: dict[int, str]) -> None:
        self.server, self.at = server, at
        self.ended = 0
        self.done: list[str] = []
        self.threads: list[threading.Thread] = []

    def trial_ended(self, trial: Trial, snapshot: Snapshot) -> None:  # noqa: ARG002
        self.ended += 1
        mode = self.at.pop(self.ended, None)
        if mode is not None:
            self.threads.append(threading.Thread(target=self._restart, args=(mode,)))
            self.threads[-1].start()

    def _restart(self, mode: str) -> None:
        began = time.monotonic()
        self.server.stop(mode)
        self.server.start()
        self.done.append(f"{mode}, {time.monotonic() - began:.1f} s away")


def run(short: bool, out: Path) -> None:
    part = Part("postgresql", short, out)
    trials = 30 if short else 500
    with contextlib.ExitStack() as stack:
        server = _server(stack)
        if isinstance(server, str):
            part.add(Row("postgresql", CHECK, TO_REACH, f"skipped: {server}", None))
            return
        root = Path(stack.enter_context(tempfile.TemporaryDirectory(ignore_cleanup_errors=True)))
        _settings(root / "unbroken", batch=BATCH).run(trials=trials)
        _search(part, root, server, trials)
        _copy(part, root)


def _server(stack: contextlib.ExitStack) -> Any:
    """A running server, or in words why there is none."""
    import pytest
    from integration.postgres import running_server

    try:
        return stack.enter_context(running_server())
    except pytest.skip.Exception as skipped:
        return str(skipped)


def _settings(study: Path, **changes: Any) -> Any:
    trainer = FakeTrainer(4, seconds_per_epoch=0.005)
    return fake_search(study, sampler="random", stopping=False, trainer=trainer, **changes)


def _search(part: Part, root: Path, server: Any, trials: int) -> None:
    observer = Restarts(server, {trials // 3: "fast", 2 * trials // 3: "immediate"})
    url = server.new_database()
    os.environ[VARIABLE] = url
    began = time.monotonic()
    study = root / "study"
    _settings(study, engine="workers", pack=PACK, batch=BATCH).run(trials, observer=observer)
    seconds = time.monotonic() - began
    for thread in observer.threads:
        thread.join()
    found = faults(study, trials, like=sequence(root / "unbroken"), url=url)
    wrong = counted([found])
    row = Row(
        "postgresql",
        f"{CHECK}, {trials} trials",
        TO_REACH,
        f"restarted {' and '.join(observer.done)}: {trials} trials ended, {summary(wrong)}",
        len(observer.done) == 2 and not sum(wrong.values()),
    )
    part.add(row, seconds=round(seconds, 1), restarts=observer.done, faults=wrong)


def _copy(part: Part, root: Path) -> None:
    """The study, copied to a SQLite file of its own."""
    source, copy = root / "study", root / "copy"
    copy_study(source, copy)
    url = os.environ.pop(VARIABLE)
    rows, copied = list(_rows(source, url)), list(_rows(copy, None))
    same_files = records(copy) == records(source)
    well = rows == copied and same_files
    part.add(
        Row(
            "postgresql_copy",
            "`mbnas study copy` of that study to SQLite",
            "equal",
            f"{len(copied)} trials, " + ("equal in files and database" if well else "NOT equal"),
            well,
        )
    )


_SAME: tuple[tuple[str, Callable[[Any], Any]], ...] = (
    ("number", lambda trial: trial.number),
    ("state", lambda trial: trial.state.name),
    ("values", lambda trial: trial.values),
    ("params", lambda trial: trial.params),
    ("distributions", lambda trial: trial.distributions),
    ("user_attrs", lambda trial: trial.user_attrs),
    ("system_attrs", lambda trial: trial.system_attrs),
    ("times", lambda trial: (trial.datetime_start, trial.datetime_complete)),
)


def _rows(study: Path, url: str | None) -> Iterator[dict[str, Any]]:
    for trial in told(study, url):
        yield {name: read(trial) for name, read in _SAME}
