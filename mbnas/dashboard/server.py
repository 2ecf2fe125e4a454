"""Serving the dashboard on this machine."""

from __future__ import annotations

import contextlib
import logging
import secrets
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
        StudyError: no study is given, or the port is taken.
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
        StudyError: the port is taken, or there is no such port.
    """
    if not 0 <= port <= _LAST_PORT:
        raise StudyError(f"dashboard: port {port}: must be from 0 to {_LAST_PORT}")
    logging.getLogger("werkzeug").setLevel(logging.ERROR)  # a line a request drowns all others
    try:
        server = make_server(host, port, app.server, threaded=True)
    except (OSError, SystemExit) as error:  # werkzeug exits where a port is taken
        raise StudyError(
            f"dashboard: {host}:{port} cannot be bound; name another --port"
        ) from error
    thread = threading.Thread(target=server.serve_forever, name="mbnas-dashboard", daemon=True)
    thread.start()
    shown = f"[{host}]" if ":" in host else host
    try:
        yield f"http://{shown}:{server.server_port}/"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
