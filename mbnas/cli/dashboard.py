"""mbnas dashboard: look at searches while they run."""

from __future__ import annotations

import argparse
import contextlib
import webbrowser

from rich.console import Console

from mbnas.errors import StudyError


def run(arguments: argparse.Namespace) -> int:
    """Runs the verb."""
    try:
        from mbnas.dashboard import serve_dashboard
    except ModuleNotFoundError as error:
        if error.name not in ("dash", "flask", "werkzeug"):
            raise
        raise StudyError("dashboard: needs more; pip install 'mbnas[dashboard]'") from None

    reading = Console(stderr=True).status("reading the studies")

    def ready(address: str) -> None:
        reading.stop()
        print(f"dashboard: {address}   (Ctrl-C ends it)", flush=True)
        if not arguments.no_browser:
            webbrowser.open(address)

    # Ctrl-C is how it ends.
    with reading, contextlib.suppress(KeyboardInterrupt):
        serve_dashboard(
            arguments.studies,
            host=arguments.host,
            port=arguments.port,
            token=arguments.token,
            on_ready=ready,
        )
    return 0
