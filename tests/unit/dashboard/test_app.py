"""The page's frame: what its controls are called, and what keeps its parts live."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from flask.testing import FlaskClient

from mbnas.dashboard import make_app
from mbnas.dashboard.asked import UPDATE
from mbnas.search import Study

CONTROLS = ("Slider", "Dropdown", "Checklist", "RadioItems")


@pytest.fixture(scope="module")
def client(study: Study) -> FlaskClient:
    return make_app([study.folder.path]).server.test_client()


def controls(part: Any, group: str | None = None) -> Iterator[tuple[str, str | None]]:
    """Each control's id, and the name of the group right around it."""
    if isinstance(part, list):
        for child in part:
            yield from controls(child, group)
    if not isinstance(part, dict):
        return
    props = part["props"]
    if part["type"] in CONTROLS:
        yield props["id"], group
    named = props.get("aria-label") if props.get("role") == "group" else None
    yield from controls(props.get("children"), named)


def test_every_control_has_a_name_that_is_spoken(client: FlaskClient) -> None:
    found = dict(controls(client.get("/_dash-layout").json))
    assert {"study", "view", "x-axis", "budget", "as-of", "which"} <= set(found)
    assert [name for name, group in found.items() if not group] == []
    assert found["budget"] == "budget"
    assert found["as-of"] == "the front as it was after trial"


@pytest.mark.parametrize("place", ["network-page-html.data", "comparison-html.data"])
def test_networks_are_told_anew_as_a_search_goes_on(client: FlaskClient, place: str) -> None:
    callbacks = client.get("/_dash-dependencies").json
    assert callbacks is not None
    (heard,) = [one["inputs"] for one in callbacks if place in one["output"]]
    assert {"id": "version", "property": "data"} in heard


def test_what_was_asked_of_another_study_is_no_longer_said(client: FlaskClient) -> None:
    parts = [
        *({"id": wish, "property": "n_clicks", "value": 1} for wish in ("pause", "go-on", "stop")),
        {"id": "study", "property": "value", "value": "shown"},
    ]
    body = {
        "output": "steered-html.data",
        "outputs": {"id": "steered-html", "property": "data"},
        "inputs": parts,
        "changedPropIds": ["study.value"],
        "state": [],
    }
    answer = client.post(UPDATE, json=body, headers={"Origin": "http://localhost"})
    assert answer.json["response"] == {"steered-html": {"data": ""}}
