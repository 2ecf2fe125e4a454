"""The URL of a database: which one is meant, and how it is written down without its secrets."""

from __future__ import annotations

import os
import re
from pathlib import Path

from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

from mbnas.errors import StudyError
from mbnas.search.record import StudyRecord

VARIABLE = "MBNAS_STORAGE"
"""The environment variable that names a database's URL, password and all."""
EXAMPLE = "such as postgresql+psycopg://USER:PASSWORD@HOST/DATABASE"
_SECRETS = ("password", "passwd", "sslpassword")


def new_storage(url: str | None) -> str | None:
    """The URL for a study that is to be made: what is given, else the environment's.

    Args:
        url: "" is study.db, whatever the environment says.

    Returns:
        None for study.db.
    """
    return (os.environ.get(VARIABLE) if url is None else url) or None


def chosen_storage(url: str | None, record: StudyRecord) -> str | None:
    """The URL for a study that is there: what is given, else the environment's, else its record's.

    A study that lies in study.db stays there, whatever the environment says.

    Returns:
        None for study.db.
    """
    if url is None and record.storage is None:
        return None
    return new_storage(url) or record.storage


def recorded_storage(url: str | None) -> str | None:
    """A URL as study.json holds it: without its password.

    Raises:
        StudyError: not a URL.
    """
    return None if url is None else _without_secrets(parsed_url(url))


def parsed_url(url: str) -> URL:
    """A URL, PostgreSQL's driver named and a file's path made whole.

    Raises:
        StudyError: not a database's URL, or one that keeps nothing.
    """
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):
        hidden = re.sub(r"//[^@/]*@", "//***@", url)
        raise StudyError(f"storage {hidden}: not a database's URL, {EXAMPLE}") from None
    if parsed.drivername == "postgresql":
        return parsed.set(drivername="postgresql+psycopg")
    if parsed.drivername.partition("+")[0] == "sqlite":
        if parsed.database in (None, "", ":memory:"):
            raise StudyError(
                f"storage {url}: keeps nothing; name a file, such as sqlite:////data/studies.db"
            )
        return parsed.set(database=str(Path(str(parsed.database)).absolute()))
    return parsed


def hidden_url(parsed: URL) -> str:
    """A URL as it is shown."""
    return _secretless_query(parsed).render_as_string(hide_password=True)


def _without_secrets(parsed: URL) -> str:
    bare = _secretless_query(parsed)
    without = URL.create(
        bare.drivername, bare.username, None, bare.host, bare.port, bare.database, bare.query
    )
    return without.render_as_string(hide_password=False)


def _secretless_query(parsed: URL) -> URL:
    return parsed.difference_update_query(_SECRETS)
