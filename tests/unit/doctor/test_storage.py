from __future__ import annotations

import importlib
import socket
from pathlib import Path

import optuna
import pytest
from optuna.storages import RDBStorage

from mbnas.doctor.passwords import hidden, without_password
from mbnas.doctor.storage import storage


@pytest.fixture
def closed_port() -> int:
    """A port at which nobody listens."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        return int(listening.getsockname()[1])


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("postgresql://me:se cret@db:5432/nas", "postgresql://me:***@db:5432/nas"),
        ("postgresql://me:a@b@db/nas", "postgresql://me:***@db/nas"),
        ("postgresql://db/nas?user=me&password=secret", "postgresql://db/nas?user=me&password=***"),
        ("mysql://db/nas?SSLPassword=secret&x=1", "mysql://db/nas?SSLPassword=***&x=1"),
        ("postgresql://me@db/nas", "postgresql://me@db/nas"),
        ("sqlite:////data/a.db", "sqlite:////data/a.db"),
        ("nonsense", "nonsense"),
    ],
)
def test_passwords_are_not_shown(url: str, shown: str) -> None:
    assert without_password(url) == shown


def test_passwords_are_taken_out_of_what_others_say() -> None:
    url = "postgresql://me:p%40ss+w@db/nas?sslpassword=other"
    said = 'user "me": p@ss+w, p%40ss+w, p@ss w and other are wrong'
    assert hidden(said, url, None) == 'user "me": ***, ***, *** and *** are wrong'
    assert hidden(said, None, "sqlite:///a.db") == said


@pytest.mark.parametrize(
    "url",
    [
        "nonsense",
        "postgresql://me:hidden-word@db:port/nas",
        "oracle9://me:hidden-word@db/nas",
        "postgresql+psycopg9://me:hidden-word@db/nas",
        "postgresql://me:hidden-word@[::1/nas",
    ],
)
def test_what_is_no_url_is_a_fault(url: str) -> None:
    found = storage(url)
    assert found.state == "fault"
    assert "postgresql+psycopg://" in str(found.mend)
    assert "hidden-word" not in f"{found.said}{found.mend}"


def test_a_driver_that_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    found = storage("mysql+pymysql://me:hidden-word@127.0.0.1/nas")
    if importlib.util.find_spec("pymysql") is None:
        assert "pymysql, is not installed" in found.said
    assert found.state == "fault"
    assert "hidden-word" not in f"{found.said}{found.mend}"


def test_a_server_that_does_not_run(closed_port: int) -> None:
    pytest.importorskip("psycopg")
    found = storage(f"postgresql://me:hidden-word@127.0.0.1:{closed_port}/nas")
    assert found.state == "fault"
    assert f"postgresql://me:***@127.0.0.1:{closed_port}/nas: " in found.said
    assert "refused" in found.said
    assert "does the server run" in str(found.mend)
    assert "hidden-word" not in f"{found.said}{found.mend}"


def test_a_file_of_optunas_is_read_and_not_changed(tmp_path: Path) -> None:
    file = tmp_path / "studies.db"
    url = f"sqlite:///{file}"
    assert storage(url).state == "note"
    assert list(tmp_path.iterdir()) == []
    optuna.create_study(storage=RDBStorage(url), study_name="one")
    before = file.read_bytes()
    found = storage(url)
    assert (found.state, found.said) == ("well", f"{url}: answers; it holds 1 studies")
    assert file.read_bytes() == before
    assert list(tmp_path.iterdir()) == [file]


def test_a_damaged_file_is_a_fault(tmp_path: Path) -> None:
    (tmp_path / "studies.db").write_bytes(b"no database at all" * 100)
    found = storage(f"sqlite:///{tmp_path}/studies.db")
    assert found.state == "fault"
    assert "not a database" in found.said
    assert found.mend


def test_an_empty_database_is_well(tmp_path: Path) -> None:
    (tmp_path / "studies.db").touch()
    found = storage(f"sqlite:///{tmp_path}/studies.db")
    assert found.state == "well"
    assert "empty" in found.said
    assert (tmp_path / "studies.db").read_bytes() == b""
