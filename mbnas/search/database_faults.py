"""What a database says when it fails, in one line with its mend."""

from __future__ import annotations

import re

from optuna.exceptions import StorageInternalError
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError, PendingRollbackError

from mbnas.errors import StudyError

_REASON_CHARACTERS = 240

# What a database says, what that means, and the mend; the first that fits.
_FAULTS = (
    (
        r"password|Access denied|authentication",
        "refuses the user or the password",
        "give the URL with its password in MBNAS_STORAGE",
    ),
    (
        r"permission denied|command denied",
        "lets this user make no tables",
        "grant it CREATE on the database's schema, then the same command goes on",
    ),
    (
        r"too many clients|Too many connections|connection slots",
        "has no connection left",
        "end others or let the server have more, then the same command goes on",
    ),
    (
        r"disk I/O error",
        "cannot be read or written",
        "see to its disk, then the same command goes on",
    ),
    (
        r"database \S+ does not exist|Unknown database",
        "has no such database",
        "make it, on PostgreSQL with: createdb",
    ),
    (
        r"not a database|malformed",
        "not a study of Optuna's",
        "move it aside, and the same command makes it anew from the study's trials/",
    ),
    (r"is locked", "is held by another program", "end that one, then the same command goes on"),
    (
        r"is full|No space left",
        "has no room on its disk",
        "make room, then the same command goes on",
    ),
    (
        r"readonly|read-only|unable to open",
        "cannot be written",
        "let it be written, then the same command goes on",
    ),
    (
        r"refused|translate|[Tt]imeout|timed out|route|unreachable|[Cc]ould not connect|resolve"
        r"|Can't connect|closed|terminat|starting up|shutting down|connection",
        "cannot be reached",
        "start the server or mend the URL, then the same command goes on",
    ),
)


def told(place: str, error: Exception) -> StudyError:
    """What befell a database, in one line with its mend.

    Args:
        place: The file, or the URL without its password.
        error: SQLAlchemy's, or Optuna's of what it met.
    """
    root = _root(error)
    words = " ".join(str(getattr(root, "orig", None) or root).split())
    reason = words if len(words) <= _REASON_CHARACTERS else f"{words[:_REASON_CHARACTERS]}..."
    for pattern, what, mend in _FAULTS:
        if re.search(pattern, words):
            return StudyError(f"{place}: {what} ({reason}); {mend}")
    return StudyError(f"{place}: failed ({reason})")


def may_pass(error: Exception) -> bool:
    """Whether the same may go well a moment later: the server, not what it was asked, failed."""
    root = _root(error)
    if isinstance(root, OperationalError | InterfaceError | PendingRollbackError):
        return True
    return isinstance(root, DBAPIError) and root.connection_invalidated


def _root(error: BaseException) -> BaseException:
    """The error that Optuna's own stands for."""
    is_optunas = isinstance(error, StorageInternalError) and error.__cause__ is not None
    return error.__cause__ if is_optunas and error.__cause__ is not None else error
