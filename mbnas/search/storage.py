"""Where a study's trials are stored: study.db beside its files, or any database Optuna opens."""

from __future__ import annotations

import contextlib
import os
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import optuna
from alembic.util import CommandError
from optuna.exceptions import ExperimentalWarning, OptunaError
from optuna.study import StudyDirection
from sqlalchemy import event
from sqlalchemy.engine import URL
from sqlalchemy.exc import NoSuchModuleError, SQLAlchemyError

from mbnas.errors import StudyError
from mbnas.search.database_faults import told
from mbnas.search.folder import StudyFolder
from mbnas.search.patient import PatientStorage
from mbnas.search.record import StudyRecord
from mbnas.search.storage_url import (
    EXAMPLE,
    chosen_storage,
    hidden_url,
    parsed_url,
    recorded_storage,
)

OWNER = "mbnas_id"
"""The Optuna study's user attribute that holds its record's id."""
PATIENCE_SECONDS = 120.0
"""How long a database server may be away before a search ends."""
LOCK_SECONDS = 60.0
"""How long another program may hold study.db."""
_DIRECTIONS = [StudyDirection.MAXIMIZE, StudyDirection.MINIMIZE]
# What one damaged file may bring up: the database, its schema's versions, or Optuna itself.
_DATABASE_ERRORS = (SQLAlchemyError, CommandError, OptunaError, RuntimeError)
# What Optuna's readers raise for a row that is missing, or that holds what it never wrote.
_DAMAGED = (ValueError, LookupError, TypeError, AttributeError, AssertionError, RecursionError)
_PACKAGES = {
    "psycopg": "'mbnas[postgresql]'",
    "psycopg2": "psycopg2-binary",
    "MySQLdb": "mysqlclient",
}
# Of libpq: notices within two minutes that a server is gone without a word.
_LIBPQ = {
    "connect_timeout": 10,
    "keepalives_idle": 30,
    "keepalives_interval": 15,
    "keepalives_count": 6,
}


def check_storage(url: str | None, folder: StudyFolder) -> None:
    """Refuses a database that cannot be had, or a name that is taken there, before anything else.

    Args:
        url: The database's; None for study.db.
        folder: Of the study that is to be made.

    Raises:
        StudyError: see `open_storage`, or the name is taken.
    """
    if url is None:
        return
    storage = open_storage(url, folder)
    name = folder.path.resolve().name
    if name in {study.study_name for study in storage.get_all_studies()}:
        raise _taken(storage.place, name)


def open_storage(url: str | None, folder: StudyFolder) -> PatientStorage:
    """Optuna's storage at a URL, by default study.db, made if it is not there.

    Raises:
        StudyError: not a URL; no driver; the server, its database or the file cannot be had; the
            file is no database of Optuna's.
    """
    if url is None:
        _clear_sides(folder.database)
        _make_whole(folder.database)
        return _opened(URL.create("sqlite", database=str(folder.database)), str(folder.database))
    parsed = parsed_url(url)
    return _opened(parsed, f"storage {hidden_url(parsed)}")


def open_optuna_study(
    folder: StudyFolder, record: StudyRecord, url: str | None = None
) -> optuna.Study:
    """The Optuna study of a study folder, made if it is not there.

    Args:
        folder: The study's.
        record: What it was made with; its storage is written down anew where it has moved.
        url: The database's; None for `chosen_storage`.

    Raises:
        StudyError: see `open_storage`, or the name is taken by another study.
    """
    chosen = chosen_storage(url, record)
    study = study_in(open_storage(chosen, folder), record, is_own=chosen is None)
    moved = recorded_storage(chosen)
    if moved != record.storage:
        folder.write_record(record.model_copy(update={"storage": moved}))
    return study


def study_in(storage: PatientStorage, record: StudyRecord, is_own: bool) -> optuna.Study:
    """A record's Optuna study in a storage, made if it is not there.

    Args:
        storage: Where it is.
        record: What it was made with.
        is_own: Whether the storage is the study's alone.

    Raises:
        StudyError: the storage fails, or the name is taken by another study.
    """
    try:
        with _telling(storage.place), quiet_optuna():
            study = optuna.create_study(
                storage=storage,
                study_name=record.name,
                directions=_DIRECTIONS,
                load_if_exists=True,
            )
        _read_whole(study)
    except _DAMAGED as error:
        raise StudyError(
            f"{storage.place}: damaged ({type(error).__name__} when read); move it aside, and the"
            " same command makes it anew from the study's trials/"
        ) from error
    _claim(study, record, storage.place, is_own)
    if study.metric_names is None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ExperimentalWarning)
            study.set_metric_names(list(record.goals.quantities))
    return study


def _read_whole(study: optuna.Study) -> None:
    """Reads all that a search will, so that damage inside the database is met here."""
    study.get_trials(deepcopy=False)
    _ = study.user_attrs, study.directions, study.metric_names
    study._storage.get_study_system_attrs(study._study_id)


def _claim(study: optuna.Study, record: StudyRecord, place: str, is_own: bool) -> None:
    """Writes down whose a study is; refuses one that is another's."""
    owner = study.user_attrs.get(OWNER)
    # One without an owner was made by an older mbnas, or by a search killed before it said so.
    is_free = owner is None and (is_own or not study.get_trials(deepcopy=False))
    if study.directions != _DIRECTIONS or not (is_free or owner == record.id):
        raise _taken(place, record.name)
    if is_free and record.id:
        study.set_user_attr(OWNER, record.id)


def _taken(place: str, name: str) -> StudyError:
    return StudyError(
        f'{place}: another study there is called "{name}"; call this one\'s folder otherwise,'
        " or use a database of its own"
    )


@contextlib.contextmanager
def quiet_optuna() -> Iterator[None]:
    """Keeps Optuna from printing lines into a progress display or a table."""
    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    try:
        yield
    finally:
        optuna.logging.set_verbosity(before)


def _opened(parsed: URL, place: str) -> PatientStorage:
    """The storage, or in one line why not."""
    is_file = parsed.get_backend_name() == "sqlite"
    arguments: dict[str, Any] = {"timeout": LOCK_SECONDS} if is_file else {}
    if parsed.drivername.partition("+")[2] in ("psycopg", "psycopg2"):
        arguments = dict(_LIBPQ)
    settings = {"connect_args": arguments, "pool_pre_ping": not is_file}
    url = parsed.render_as_string(hide_password=False).replace("{", "{{").replace("}", "}}")
    try:
        with _telling(place):
            storage = PatientStorage(url, place, settings, 0 if is_file else PATIENCE_SECONDS)
    except ImportError as error:
        raise _no_driver(parsed, place, error) from None
    if is_file:
        _write_ahead(storage)
    return storage


def _make_whole(database: Path) -> None:
    """Makes study.db to the side: half a database, without its indexes, would take a study twice.

    Raises:
        StudyError: it cannot be written.
    """
    if database.exists():
        return
    try:
        for left in database.parent.glob(f".{database.name}.*"):  # by a kill
            left.unlink()
        aside = database.with_name(f".{database.name}.{os.getpid()}")
        _opened(URL.create("sqlite", database=str(aside)), str(database)).engine.dispose()
        aside.replace(database)
    except OSError as error:
        raise StudyError(f"{database}: cannot be written ({error.strerror})") from None


@contextlib.contextmanager
def _telling(place: str) -> Iterator[None]:
    try:
        yield
    except NoSuchModuleError as error:
        name = str(error).rpartition(":")[2].split(".")[0]
        raise StudyError(
            f"{place}: {name} is no kind of database; name another URL, {EXAMPLE}"
        ) from None
    except _DATABASE_ERRORS as error:
        raise told(place, error) from error


def _no_driver(parsed: URL, place: str, error: ImportError) -> StudyError:
    missing = getattr(error.__cause__ or error, "name", None) or parsed.get_driver_name()
    package = _PACKAGES.get(missing, missing)
    return StudyError(f"{place}: needs the package {missing}; install it: pip install {package}")


def _clear_sides(database: Path) -> None:
    """Removes what was logged for a database that is gone; the next one must not take it up."""
    if not database.exists():
        for side in ("-wal", "-shm", "-journal"):
            database.with_name(database.name + side).unlink(missing_ok=True)


def _write_ahead(storage: PatientStorage) -> None:
    """Lets SQLite append to a log in place of syncing at every one of Optuna's small writes.

    A killed process loses nothing so; a power failure may lose the last trials from the database,
    which their files under `trials/` still hold.
    """

    def on_connect(connection: Any, _: Any) -> None:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=NORMAL")

    event.listen(storage.engine, "connect", on_connect)
    storage.engine.dispose()  # connections made before this hear of it too
