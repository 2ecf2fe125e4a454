"""What the dashboard's pages may ask, and that nothing else comes to a callback."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import flask
import pytest
from flask.testing import FlaskClient

from mbnas.dashboard import make_app
from mbnas.dashboard.asked import UPDATE, check_updates
from mbnas.search import Study

OWN = {"Origin": "http://localhost"}
TABLE: dict[str, Any] = {
    "version.data": {},
    "view.value": "trials",
    "study.value": "shown",
    "which.value": "all",
    "order.value": "number",
    "direction.value": "up",
    "page.data": 0,
}


@pytest.fixture(scope="module")
def client(study: Study) -> Iterator[FlaskClient]:
    app = make_app([study.folder.path])
    errors: list[BaseException] = []

    def met(_: Any, exception: BaseException, **__: Any) -> None:
        errors.append(exception)

    with flask.got_request_exception.connected_to(met, app.server):
        yield app.server.test_client()
    assert not errors


def body(**changes: Any) -> dict[str, Any]:
    """What a page asks for the table of trials, with some of its values changed."""
    values = {**TABLE, **changes.pop("values", {})}
    parts = [
        {"id": name.split(".")[0], "property": name.split(".")[1], "value": value}
        for name, value in values.items()
    ]
    return {
        "output": "trials-table-html.data",
        "outputs": {"id": "trials-table-html", "property": "data"},
        "inputs": parts,
        "changedPropIds": ["page.data"],
        "state": [],
        **changes,
    }


def asked(client: FlaskClient, content: Any) -> int:
    text = content if isinstance(content, (str, bytes)) else json.dumps(content)
    answer = client.post(UPDATE, data=text, content_type="application/json", headers=OWN)
    assert b"Traceback" not in answer.data
    return answer.status_code


def test_what_a_page_asks_is_answered(client: FlaskClient) -> None:
    assert asked(client, body()) == 200


@pytest.mark.parametrize(
    "content",
    [
        *("", "{", "null", "[]", "1", b"\xff\xfe", "[" * 100_000, '{"a":' * 100_000),
        body(output="nowhere.data"),
        body(output=7),
        body(outputs=None),
        body(outputs=[]),
        body(outputs={"id": "trials-table-html"}),
        body(outputs={"id": 7, "property": "data"}),
        body(inputs=None),
        body(inputs=[]),
        body(inputs=[7] * 7),
        body(inputs=list(reversed(body()["inputs"]))),
        body(state=[{"id": "page", "property": "data", "value": 1}]),
        body(changedPropIds=None),
        body(changedPropIds=[["page.data"]]),
        body(changedPropIds=["study.children"]),
    ],
)
def test_what_no_page_asks_is_refused(content: Any, client: FlaskClient) -> None:
    assert asked(client, content) == 400


@pytest.mark.parametrize("name", [name for name in TABLE if name != "version.data"])
@pytest.mark.parametrize("value", [None, [], {}, 1.5, -1, 10**400, float("nan"), True, [[]]])
def test_values_of_another_kind_are_refused(name: str, value: Any, client: FlaskClient) -> None:
    assert asked(client, body(values={name: value})) == 400


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"study.value": "../shown"}, b""),
        ({"view.value": "nowhere"}, b""),
        ({"which.value": "<b>"}, b"0 of"),
        ({"order.value": "<b>"}, b"page 1"),
        ({"page.data": 2**53}, b"page 2 of 2"),
    ],
)
def test_words_that_mean_nothing_change_nothing(
    values: dict[str, Any], words: bytes, client: FlaskClient
) -> None:
    content = json.dumps(body(values=values))
    answer = client.post(UPDATE, data=content, content_type="application/json", headers=OWN)
    assert answer.status_code in (200, 204)
    assert words in answer.data


def test_a_request_of_megabytes_is_refused(client: FlaskClient) -> None:
    assert asked(client, body(values={"study.value": "x" * 2**21})) in (400, 413)


@pytest.mark.parametrize(
    "path",
    [
        "/_dash-component-suites/x/y.js",
        "/_dash-component-suites/dash/../../../../etc/passwd",
        "/_dash-component-suites/plotly/../../x",
    ],
)
def test_scripts_that_are_not_the_pages_are_not_found(path: str, client: FlaskClient) -> None:
    answer = client.get(path)
    assert answer.status_code == 404
    assert b"root:" not in answer.data


def test_every_part_that_a_callback_hears_is_declared() -> None:
    part = {"id": "new", "property": "data"}
    callbacks = {"a.data": {"callback": print, "inputs": [part], "state": []}}
    with pytest.raises(TypeError, match=r"KINDS what these may hold: new\.data"):
        check_updates(flask.Flask("dashboard"), callbacks)
