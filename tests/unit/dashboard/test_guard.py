"""Who may speak with the dashboard."""

from __future__ import annotations

import re
import socket
from typing import Any

import pytest
from flask.testing import FlaskClient

from mbnas.dashboard import make_app, serve_dashboard
from mbnas.dashboard.guard import cookie_name, is_loopback
from mbnas.errors import StudyError
from mbnas.search import Study

UPDATE = "/_dash-update-component"


@pytest.fixture(scope="module")
def client(study: Study) -> FlaskClient:
    return make_app([study.folder.path]).server.test_client()


@pytest.fixture
def stranger(study: Study) -> FlaskClient:
    return make_app([study.folder.path], token="secret").server.test_client()


def looked(client: FlaskClient, **headers: str) -> int:
    """Asks what is new, as the page does, and gives the answer's status."""
    body: dict[str, Any] = {
        "output": "version.data",
        "outputs": {"id": "version", "property": "data"},
        "inputs": [{"id": "tick", "property": "n_intervals", "value": 1}],
        "changedPropIds": ["tick.n_intervals"],
        "state": [{"id": "version", "property": "data", "value": {}}],
    }
    named = {key.replace("_", "-"): value for key, value in headers.items()}
    return client.post(UPDATE, json=body, headers=named).status_code


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "127.0.0.1:8050", "[::1]:8050"])
def test_this_machine_may_look(client: FlaskClient, host: str) -> None:
    assert client.get("/", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize("host", ["photos.example", "10.0.0.7:8050", "127.0.0.1.example", ""])
def test_a_foreign_name_may_not(client: FlaskClient, host: str) -> None:
    assert client.get("/", headers={"Host": host}).status_code == 403


def test_only_its_own_pages_may_ask_and_act(client: FlaskClient) -> None:
    assert looked(client, Origin="http://localhost") == 200
    assert looked(client) == 403
    assert looked(client, Origin="http://evil.example") == 403
    assert looked(client, Origin="null") == 403
    assert looked(client, Origin="http://localhost", Sec_Fetch_Site="cross-site") == 403
    as_form = client.post(UPDATE, data="{}", headers={"Origin": "http://localhost"})
    assert as_form.status_code == 403


def test_a_link_from_elsewhere_opens_the_page_and_embeds_nothing(client: FlaskClient) -> None:
    link = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}
    assert client.get("/", headers=link).status_code == 200
    picture = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors"}
    assert client.get("/_dash-layout", headers=picture).status_code == 403


def test_no_script_but_the_pages_own_may_run(client: FlaskClient) -> None:
    policy = client.get("/").headers["Content-Security-Policy"]
    scripts = next(part for part in policy.split(";") if "script-src" in part)
    assert "unsafe" not in scripts
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy


def test_an_empty_token_is_none(study: Study) -> None:
    client = make_app([study.folder.path], token="").server.test_client()
    assert client.get("/").status_code == 200
    assert client.get("/", headers={"Host": "photos.example"}).status_code == 403


def test_a_token_is_made_up_for_the_network_where_an_empty_one_is_given(study: Study) -> None:
    def ready(address: str) -> None:
        assert re.search(r"\?token=[\w-]{20,}$", address)
        assert address.startswith(f"http://{socket.gethostname()}:"), "where others find it"
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        serve_dashboard([study.folder.path], host="0.0.0.0", port=0, token="", on_ready=ready)


@pytest.mark.parametrize("host", ["203.0.113.7", "no such name", "a..b"])
def test_an_address_of_another_machine_is_told_in_one_line(
    study: Study, host: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(StudyError, match=f"{host} is not .* name another --host"):
        serve_dashboard([study.folder.path], host=host, port=0)
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("port", [-1, 65_536])
def test_a_port_that_cannot_be_is_told(study: Study, port: int) -> None:
    with pytest.raises(StudyError, match=f"port {port}: must be from 0 to 65535"):
        serve_dashboard([study.folder.path], port=port)


def test_a_token_is_asked_for_and_then_kept_in_a_cookie(stranger: FlaskClient) -> None:
    assert stranger.get("/").status_code == 403
    assert stranger.get("/?token=guessed").status_code == 403
    assert looked(stranger, Origin="http://localhost") == 403
    first = stranger.get("/?token=secret")
    assert first.status_code == 302
    assert first.headers["Location"] == "/"
    cookie = first.headers["Set-Cookie"]
    assert cookie.startswith(f"{cookie_name('secret')}=secret")
    assert "HttpOnly" in cookie
    assert "SameSite=Lax" in cookie, "a link from a chat would be refused"
    assert stranger.get("/").status_code == 200
    assert looked(stranger, Origin="http://localhost") == 200
    assert looked(stranger, Origin="http://evil.example") == 403


@pytest.mark.parametrize(
    ("asked", "kept"),
    [
        ("/?token=secret&study=photos&trial=17", "/?study=photos&trial=17"),
        ("/?study=a%26b+c&token=secret", "/?study=a%26b+c"),
    ],
)
def test_only_the_token_leaves_the_address(stranger: FlaskClient, asked: str, kept: str) -> None:
    assert stranger.get(asked).headers["Location"] == kept


def test_two_dashboards_on_one_host_keep_their_visitors(
    study: Study, stranger: FlaskClient
) -> None:
    other = make_app([study.folder.path], token="another").server.test_client()
    both = (stranger, "secret"), (other, "another")
    for client, _ in both:  # a browser has one jar for all ports
        for _, token in both:
            client.set_cookie(cookie_name(token), token)
        assert client.get("/").status_code == 200


@pytest.mark.parametrize(
    ("host", "own"),
    [("127.0.0.1", True), ("::1", True), ("localhost", True), ("0.0.0.0", False), ("nas", False)],
)
def test_loopback(host: str, own: bool) -> None:
    assert is_loopback(host) == own


@pytest.mark.parametrize("path", ["/assets/../app.py", "/assets/%2e%2e/app.py", "/../study.json"])
def test_no_file_beside_its_own_is_served(client: FlaskClient, path: str) -> None:
    answer = client.get(path)
    assert b"from __future__" not in answer.data
    assert b"schema_version" not in answer.data


def test_a_port_in_use_is_told_in_one_line(
    study: Study, capsys: pytest.CaptureFixture[str]
) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(StudyError, match="cannot be bound; name another --port"):
            serve_dashboard([study.folder.path], port=port)
    assert capsys.readouterr().err == ""


def test_no_study_is_told() -> None:
    with pytest.raises(StudyError, match="at least one"):
        serve_dashboard([])
