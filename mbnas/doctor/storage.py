"""Whether a storage by URL can be reached, read and written."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, create_engine, inspect, text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import SQLAlchemyError

from mbnas.doctor.finding import Finding, fault, first_line, note, well
from mbnas.doctor.passwords import hidden, without_password

PATIENCE_SECONDS = 5
_WAITING = {
    "postgresql": "connect_timeout",
    "mysql": "connect_timeout",
    "mariadb": "connect_timeout",
    "sqlite": "timeout",
}
"""What the drivers call the seconds after which they give up."""
_WHAT = "storage"
_USUAL = "write it as postgresql+psycopg://USER:PASSWORD@HOST/DATABASE"


def storage(url: str) -> Finding:
    """Whether studies can be kept at a URL; nothing is changed there."""
    shown = without_password(url)
    try:
        parsed = parsed_url(url)
        if parsed.get_backend_name() == "sqlite" and not Path(parsed.database or "").is_file():
            mend = "a search makes it; without --storage it lies in the study's own folder"
            return note(_WHAT, f"{shown}: no such file yet", mend)
        with connected(parsed) as connection:
            return _look(connection, url)
    except ImportError as error:
        said = f"{shown}: its driver, {error.name or first_line(error)}, is not installed"
        return fault(_WHAT, said, f"pip install 'mbnas[postgresql]', and {_USUAL}")
    except (SQLAlchemyError, ValueError) as error:
        said = f"{shown}: {reason(error, url)}"
        if getattr(error, "orig", None) is None:  # it came to no server
            return fault(_WHAT, said, _USUAL)
        mend = "does the server run, and does it let this host, user and password in? See its log"
        return fault(_WHAT, said, mend)


def parsed_url(url: str) -> URL:
    """A URL, PostgreSQL's driver named.

    Raises:
        SQLAlchemyError: not a URL.
        ValueError: not a URL either.
    """
    parsed = make_url(url)
    if parsed.drivername == "postgresql":
        return parsed.set(drivername="postgresql+psycopg")
    return parsed


def reason(error: Exception, url: str | None) -> str:
    """What a database's error says, on one line and without a URL's password."""
    return hidden(first_line(getattr(error, "orig", None) or error), url)


@contextmanager
def connected(url: URL) -> Iterator[Connection]:
    """A connection, given up soon where there is nobody; what is done on it is taken back.

    Raises:
        SQLAlchemyError: no connection.
        ImportError: a driver that is not installed.
    """
    patience: dict[str, Any] = {}
    if name := _WAITING.get(url.get_backend_name()):
        patience[name] = PATIENCE_SECONDS
    engine = create_engine(url, connect_args=patience)
    try:
        with engine.connect() as connection:
            yield connection
            connection.rollback()
    finally:
        engine.dispose()


def _look(connection: Connection, url: str) -> Finding:
    shown = without_password(url)
    if "studies" not in inspect(connection).get_table_names():
        return _look_at_empty(connection, url)
    count = connection.execute(text("SELECT COUNT(*) FROM studies")).scalar()
    try:
        # Changes no row, and yet is refused to who may not.
        connection.execute(text("UPDATE studies SET study_name = study_name WHERE 1 = 0"))
    except SQLAlchemyError as error:
        mend = "grant this user the right to write to its tables"
        said = f"{shown}: can be read and not written ({reason(error, url)})"
        return fault(_WHAT, said, mend)
    return well(_WHAT, f"{shown}: answers; it holds {count} studies")


def _look_at_empty(connection: Connection, url: str) -> Finding:
    """A database without Optuna's tables: whether they could be made, where that can be undone."""
    shown = without_password(url)
    if connection.dialect.name == "postgresql":
        try:
            connection.execute(text("CREATE TABLE mbnas_doctor (number INTEGER)"))
        except SQLAlchemyError as error:
            mend = "grant this user CREATE on the database's schema"
            return fault(_WHAT, f"{shown}: no tables can be made ({reason(error, url)})", mend)
    return well(_WHAT, f"{shown}: answers; it is empty, and the first search makes its tables")
