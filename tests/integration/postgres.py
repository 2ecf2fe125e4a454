"""A throw-away PostgreSQL server on loopback, for tests."""

from __future__ import annotations

import contextlib
import getpass
import os
import pwd
import random
import secrets
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import pytest

USER = "mbnas"
SECONDS = 60
_SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "fsync": "off",  # what a server that is stopped at once has written, the system still has
}


@dataclass(frozen=True)
class Server:
    """A server that may be stopped and started again; it keeps its data and its port."""

    binaries: Path
    folder: Path
    owner: str
    port: int
    password: str

    @classmethod
    def made(cls, binaries: Path, folder: Path, owner: str) -> Server:
        """A new one, not started yet."""
        server = cls(binaries, folder, owner, _free_port(), secrets.token_hex(8))
        secret = folder / "password"
        secret.write_text(server.password)
        secret.chmod(0o644)
        server._run(
            *("initdb", "--pgdata", folder / "data", "--username", USER, "--pwfile", secret),
            *("--auth", "scram-sha-256", "--no-sync", "--locale", "C", "--encoding", "UTF8"),
        )
        return server

    def url(self, database: str, user: str = USER, password: str | None = None) -> str:
        """A database's URL, the password in it."""
        secret = self.password if password is None else password
        return f"postgresql+psycopg://{user}:{secret}@127.0.0.1:{self.port}/{database}"

    def start(self) -> None:
        """Starts it, and waits until it answers."""
        settings = " ".join(f"-c {name}='{value}'" for name, value in _SETTINGS.items())
        self._control(
            "start", "--log", self.folder / "log", "--options", f"-p {self.port} {settings}"
        )

    def stop(self, mode: Literal["fast", "immediate"] = "fast") -> None:
        """Stops it: fast breaks connections off; immediate is as if the machine lost its power."""
        self._control("stop", "--mode", mode)

    def new_database(self) -> str:
        """An empty database's URL."""
        import psycopg

        name = f"test_{secrets.token_hex(4)}"
        with psycopg.connect(self._plain("postgres"), autocommit=True) as connection:
            connection.execute(f'CREATE DATABASE "{name}"')
        return self.url(name)

    def _plain(self, database: str) -> str:
        return self.url(database).replace("+psycopg", "")

    def _control(self, *arguments: object) -> None:
        self._run("pg_ctl", "--pgdata", self.folder / "data", "--timeout", SECONDS, *arguments)

    def _run(self, program: str, *arguments: object) -> None:
        as_owner = {} if self.owner == getpass.getuser() else _as(self.owner)
        # Into a file, not a pipe: the server that pg_ctl starts would hold a pipe open.
        with (self.folder / "said").open("w+") as said:
            done = subprocess.run(
                [self.binaries / program, *map(str, arguments)],
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=said,
                cwd=self.folder,
                check=False,
                **as_owner,
            )
            said.seek(0)
            assert done.returncode == 0, f"{program}: {said.read()}"


@contextlib.contextmanager
def running_server() -> Iterator[Server]:
    """A started server; gone with its data at the end.

    Skips where PostgreSQL is not installed, but not in CI.
    """
    binaries, owner = _binaries(), _owner()
    lacking = "PostgreSQL's initdb is not installed" if binaries is None else None
    if owner is None:
        lacking = "no user but root is there to run PostgreSQL"
    if lacking or binaries is None or owner is None:
        (pytest.fail if os.environ.get("CI") else pytest.skip)(str(lacking))
    folder = Path(tempfile.mkdtemp(prefix="mbnas-postgres-"))
    try:
        shutil.chown(folder, owner)
        server = Server.made(binaries, folder, owner)
        server.start()
        try:
            yield server
        finally:
            if (folder / "data" / "postmaster.pid").exists():
                server.stop("immediate")
    finally:
        shutil.rmtree(folder)


def _binaries() -> Path | None:
    """Where initdb lies: Debian keeps it off the PATH."""
    found = shutil.which("initdb")
    places = [Path(found).resolve().parent] if found else []
    places += sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    return next((place for place in places if (place / "initdb").exists()), None)


def _owner() -> str | None:
    """Who runs the server: initdb refuses root."""
    if os.getuid() != 0:
        return getpass.getuser()
    users = {user.pw_name for user in pwd.getpwall()}
    return next((name for name in ("postgres", "nobody") if name in users), None)


def _as(name: str) -> dict[str, object]:
    user = pwd.getpwnam(name)
    return {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}


def _free_port() -> int:
    """One that neither the kernel nor Ray deals out, while the server is stopped."""
    for port in random.SystemRandom().sample(range(20_000, 32_768), 100):
        with contextlib.suppress(OSError), socket.socket() as one:
            one.bind(("127.0.0.1", port))
            return port
    raise AssertionError("no free port")
