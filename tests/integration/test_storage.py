"""Where a study's trials are stored: SQLite, PostgreSQL, and what goes wrong with them."""

from __future__ import annotations

import queue
import re
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import optuna
import pytest
from integration.postgres import Server, running_server
from integration.storages import optuna_study, told
from integration.studies import fake_search

from mbnas.errors import StudyError
from mbnas.search import Observer, Snapshot, Study, Trial, open_study, patient
from mbnas.search.copying import copy_study
from mbnas.search.folder import StudyFolder
from mbnas.search.pruning import prune_study
from mbnas.search.storage import OWNER, open_storage
from mbnas.search.storage_url import VARIABLE
from mbnas.testing import FakeTrainer

TRIALS = 8
SECRET = "geheim"


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with running_server() as server:
        yield server


@pytest.fixture
def url(server: Server) -> str:
    """An empty database."""
    return server.new_database()


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Study:
    """An unbroken search on SQLite."""
    return fake_search(tmp_path_factory.mktemp("plain") / "study").run(TRIALS)


def hidden(url: str) -> str:
    return re.sub(r":[^:/@]+@", ":***@", url)


def test_a_search_on_postgresql_is_that_on_sqlite(plain: Study, url: str, tmp_path: Path) -> None:
    study = fake_search(tmp_path / "study", storage=url).run(TRIALS)
    assert not study.folder.database.exists()
    assert [t.params for t in study.trials] == [t.params for t in plain.trials]
    rows = told(study.folder, url)
    for one, other in zip(rows, told(plain.folder), strict=True):
        for what in ("number", "state", "values", "params", "distributions", "constraints"):
            assert one[what] == other[what]
    assert open_study(study.folder.path).trials == study.trials


def test_the_password_is_written_nowhere(
    server: Server, url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    study = fake_search(tmp_path / "study", storage=url).run(2)
    without = url.replace(f":{server.password}", "")
    assert study.record.storage == without
    assert study.storage == without
    for file in study.folder.path.rglob("*"):
        assert not file.is_file() or server.password.encode() not in file.read_bytes()
    with pytest.raises(StudyError, match="refuses the user or the password"):
        fake_search(tmp_path / "study").run(3)
    monkeypatch.setenv(VARIABLE, url)
    assert len(fake_search(tmp_path / "study").run(3).trials) == 3
    assert not study.folder.database.exists()


def test_the_environments_database_is_for_new_studies(
    plain: Study, url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, url)
    assert told(plain.folder), "it stays in its study.db"
    new = fake_search(tmp_path / "new").run(1)
    assert new.record.storage is not None
    assert len(told(new.folder)) == 1


@pytest.mark.parametrize(
    ("url", "said"),
    [
        (f"postgresql://me:{SECRET}@127.0.0.1:1/nas", "cannot be reached"),
        (f"postgresql://me:{SECRET}@nowhere.invalid/nas", "cannot be reached"),
        (f"oracel://me:{SECRET}@host/nas", "oracel is no kind of database"),
        (f"postgresql+pg9000://me:{SECRET}@host/nas", "no kind of database"),
        (f"postgresql://me:{SECRET}@host:port/nas", "not a database's URL"),
        (f"nonsense {SECRET[:0]}", "not a database's URL"),
        ("sqlite://", "keeps nothing; name a file"),
        ("sqlite:////nowhere/at/all.db", "cannot be written"),
    ],
)
def test_what_is_no_database_is_said_in_one_line(url: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(StudyError, match=re.escape(said)) as raised:
        fake_search(tmp_path / "study", storage=url).run(1)
    assert "\n" not in str(raised.value)
    assert SECRET not in str(raised.value)
    assert not StudyFolder(tmp_path / "study").exists


def test_a_driver_that_is_not_there_is_named_with_its_mend(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(StudyError, match=r"pip install 'mbnas\[postgresql\]'$"):
        open_storage(f"postgresql://me:{SECRET}@host/nas", StudyFolder(tmp_path))


def test_a_wrong_password_and_a_missing_database_are_named(server: Server, tmp_path: Path) -> None:
    folder = StudyFolder(tmp_path)
    wrong = server.url("postgres", password=SECRET)
    with pytest.raises(StudyError, match="refuses the user or the password") as raised:
        open_storage(wrong, folder)
    assert hidden(wrong) in str(raised.value)
    assert SECRET not in str(raised.value)
    with pytest.raises(StudyError, match=r"has no such database .*createdb"):
        open_storage(server.url("nothing"), folder)


def test_a_name_that_is_anothers_is_refused(url: str, tmp_path: Path) -> None:
    first = fake_search(tmp_path / "one" / "study", storage=url).run(2)
    before = told(first.folder, url)
    with pytest.raises(StudyError, match=r'another study there is called "study"; call'):
        fake_search(tmp_path / "two" / "study", storage=url).run(2)
    assert not StudyFolder(tmp_path / "two" / "study").exists
    assert told(first.folder, url) == before
    # Also where a study comes to the database later on.
    here = fake_search(tmp_path / "three" / "study").run(1)
    with pytest.raises(StudyError, match=r'another study there is called "study"'):
        optuna_study(here.folder, url)
    assert here.folder.read()[0].storage is None


def test_what_a_kill_left_before_the_owner_was_said_is_taken_up(url: str, tmp_path: Path) -> None:
    study = fake_search(tmp_path / "study").run(1)
    directions = ["maximize", "minimize"]
    storage = optuna.storages.RDBStorage(url)
    half = optuna.create_study(storage=storage, study_name="study", directions=directions)
    assert OWNER not in half.user_attrs
    storage.engine.dispose()
    assert optuna_study(study.folder, url).user_attrs[OWNER] == study.record.id


def test_a_study_moves_to_a_database_and_goes_on_there(url: str, tmp_path: Path) -> None:
    fake_search(tmp_path / "study").run(4)
    trainer = FakeTrainer()
    after = fake_search(tmp_path / "study", storage=url, trainer=trainer).run(6)
    assert len(trainer.trained) == 2
    assert after.record.storage is not None
    assert len(told(after.folder, url)) == len(after.trials)


def test_a_copy_there_and_back_is_the_study(plain: Study, url: str, tmp_path: Path) -> None:
    there = copy_study(plain.folder.path, tmp_path / "there", url)
    assert not there.folder.database.exists()
    rows = told(plain.folder)
    assert told(there.folder, url) == rows
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(VARIABLE, url)  # for the password
        back = copy_study(there.folder.path, tmp_path / "back")
        assert prune_study(there.folder.path, keep=0).database_bytes == 0
    assert told(back.folder) == rows
    assert back.record.storage is None
    assert back.trials == plain.trials
    old, new = optuna_study(plain.folder), optuna_study(back.folder)
    attributes = [one._storage.get_study_system_attrs(one._study_id) for one in (old, new)]
    assert attributes[0] == attributes[1]
    assert [one.datetime_complete for one in old.get_trials()] == [
        one.datetime_complete for one in new.get_trials()
    ]


class StopsServer(Observer):
    """Stops the server when a trial is told; it is started once it is waited for."""

    def __init__(self, server: Server, number: int, monkeypatch: pytest.MonkeyPatch) -> None:
        self.server, self.number = server, number
        self.is_stopped, self.waits = False, 0
        monkeypatch.setattr(patient.time, "sleep", self.sleep)

    def trial_ended(self, trial: Trial, snapshot: Snapshot) -> None:
        if trial.number == self.number:
            self.server.stop("immediate")
            self.is_stopped = True

    def sleep(self, seconds: float) -> None:
        self.waits += 1
        if self.is_stopped:
            self.is_stopped = False
            self.server.start()


def test_a_server_that_is_away_is_waited_for(
    plain: Study, server: Server, url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    observer = StopsServer(server, 3, monkeypatch)
    study = fake_search(tmp_path / "study", storage=url).run(TRIALS, observer=observer)
    assert observer.waits
    assert [t.params for t in study.trials] == [t.params for t in plain.trials]
    assert [row["number"] for row in told(study.folder, url)] == list(range(len(study.trials)))
    assert all(row["state"].is_finished() for row in told(study.folder, url))


def test_a_server_that_restarts_again_and_again_costs_nothing(
    server: Server, url: str, tmp_path: Path
) -> None:
    """Connections break wherever they happen to be: between and within operations."""
    wanted, restarts = queue.SimpleQueue[str | None](), []

    def restart() -> None:
        while (mode := wanted.get()) is not None:
            server.stop("immediate" if mode == "immediate" else "fast")
            server.start()
            restarts.append(mode)

    class Restarting(Observer):
        def trial_ended(self, trial: Trial, snapshot: Snapshot) -> None:
            if trial.number % 4 == 0:  # it happens while the search goes on
                wanted.put("immediate" if trial.number % 8 else "fast")

    thread = threading.Thread(target=restart)
    thread.start()
    try:
        search = fake_search(tmp_path / "study", storage=url)
        study = search.run(3 * TRIALS, observer=Restarting())
    finally:
        wanted.put(None)
        thread.join()
    assert len(restarts) >= 6
    unbroken = fake_search(tmp_path / "unbroken").run(3 * TRIALS)
    assert [t.params for t in study.trials] == [t.params for t in unbroken.trials]
    rows = told(study.folder, url)
    assert [row["number"] for row in rows] == list(range(len(study.trials)))
    assert [row["state"] for row in rows] == [row["state"] for row in told(unbroken.folder)]
    assert [row["values"] for row in rows] == [row["values"] for row in told(unbroken.folder)]


def test_a_kill_amid_the_making_of_the_database_leaves_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Optuna makes tables first and their indexes after: half of them let a study in twice."""

    class KilledError(Exception):
        """Stands for the kill."""

    def killed(*_: object) -> None:
        raise KilledError

    with monkeypatch.context() as patch:
        patch.setattr("optuna.storages._rdb.storage._VersionManager", killed)
        with pytest.raises(KilledError):
            fake_search(tmp_path / "study").run(trials=3)
    assert not (tmp_path / "study" / "study.db").exists()
    study = fake_search(tmp_path / "study").run(trials=3)
    assert len(study.trials) == 3
    assert not list(study.folder.path.glob(".study.db.*"))
