"""Serving the dashboard on this machine."""

from __future__ import annotations

import contextlib
import errno
import io
import logging
import secrets
import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from urllib.parse import quote

from dash import Dash
from werkzeug.serving import make_server

from mbnas.dashboard.app import make_app
from mbnas.dashboard.guard import is_loopback
from mbnas.errors import StudyError

LOOPBACK = "127.0.0.1"
PORT = 8050
_LAST_PORT = 65_535
_OF_THE_PORT = (errno.EADDRINUSE, errno.EACCES)
"""What goes wrong with a port; all else is wrong with the address."""
_WILDCARDS = ("0.0.0.0", "::")


def serve_dashboard(
    studies: Sequence[str | Path],
    *,
    host: str = LOOPBACK,
    port: int = PORT,
    token: str | None = None,
    on_ready: Callable[[str], None] = lambda _: None,
) -> None:
    """Shows studies in a browser until it is interrupted.

    Args:
        studies: Folders of studies, searched at this moment or not.
        host: The address to bind. Only loopback ones do without a token.
        port: The port; 0 takes a free one.
        token: What visitors must bring; of any address but loopback, one is made up if not given.
        on_ready: Called with the address to open, the token in it.

    Raises:
        StudyError: no study is given, the port is taken, or the address is not this machine's.
    """
    if not studies:
        raise StudyError("dashboard: name at least one study's folder")
    if not token:
        token = None if is_loopback(host) else secrets.token_urlsafe(24)
    with served(make_app(studies, token), host, port) as address:
        on_ready(address if token is None else f"{address}?token={quote(token)}")
        threading.Event().wait()  # for Ctrl-C


@contextlib.contextmanager
def served(app: Dash, host: str = LOOPBACK, port: int = 0) -> Iterator[str]:
    """Serves an application while the context lasts, and gives its address.

    Raises:
        StudyError: the port is taken, there is no such port, or the address is not this machine's.
    """
    if not 0 <= port <= _LAST_PORT:
        raise StudyError(f"dashboard: port {port}: must be from 0 to {_LAST_PORT}")
    logging.getLogger("werkzeug").setLevel(logging.ERROR)  # a line a request drowns all others
    try:
        with contextlib.redirect_stderr(io.StringIO()):  # werkzeug has its own words for it
            server = make_server(host, port, app.server, threaded=True)
    except (OSError, UnicodeError, SystemExit) as error:  # and exits where it cannot bind
        raise StudyError(f"dashboard: {_cannot_bind(host, port, error)}") from error
    thread = threading.Thread(target=server.serve_forever, name="mbnas-dashboard", daemon=True)
    thread.start()
    bound = server.socket.getsockname()[0]
    try:
        yield f"http://{_visited(host, bound)}:{server.server_port}/"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _cannot_bind(host: str, port: int, error: BaseException) -> str:
    cause = error.__context__ if isinstance(error, SystemExit) else error
    if getattr(cause, "errno", None) in _OF_THE_PORT:
        return f"{host}:{port} cannot be bound; name another --port"
    return f"{host} is not an address of this machine; name another --host"


def _visited(host: str, bound: str) -> str:
    """What visitors call a host: where every address is bound, this machine's name."""
    if bound in _WILDCARDS:
        return socket.gethostname()
    return f"[{host}]" if ":" in host else host
