"""What a dashboard's page may be made to ask."""

from __future__ import annotations

import contextlib
import copy
import json
import random
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import flask
from property.damage import NASTY, damaged_bytes, damaged_json, damaged_text, deep

from fuzzing.judge import Fault, fault_of
from fuzzing.pool import Job, Result
from mbnas.dashboard import make_app

UPDATE = "/_dash-update-component"
OWN = {"Origin": "http://localhost"}
PATHS = (
    *("/", "/_dash-layout", "/_dash-dependencies", "/_dash-update-component", "/_reload-hash"),
    *("/assets/../app.py", "/assets/%2e%2e/%2e%2e/errors.py", "/assets/dashboard.js", "/assets/"),
    *("/_dash-component-suites/dash/../../../../etc/passwd", "/_dash-component-suites/x/y.js"),
    *("/../study.json", "//etc/passwd", "/_favicon.ico", "/x\0y", "/%00", "/" + "a/" * 500),
)
SOUND: dict[str, Any] = {
    "version.data": {},
    "tick.n_intervals": 1,
    "study.value": "study",
    "view.value": "front",
    "x-axis.value": "latency_ms",
    "y-axis.value": "accuracy",
    "logs.value": [],
    "window.data": None,
    "opened.data": 0,
    "pinned.data": [0],
    "page.data": 0,
    "budget.value": 0.2,
    "as-of.value": 3,
    "as-of.max": 9,
    "over.value": "trials",
    "which.value": "all",
    "order.value": "number",
    "direction.value": "up",
    "url.search": "?study=study&trial=1",
    "front.clickData": {"points": [{"customdata": 1}]},
    "front.relayoutData": {"xaxis.range[0]": 0.1, "xaxis.range[1]": 0.2},
    "picked.data": {"trial": 2},
    "walked.data": {"by": 1},
}
"""What the page's own parts hold; buttons hold a number of clicks."""
VIEWS = ("front", "learned", "trials", "studies", "about")
HEAVY = ("profile-it.n_clicks", "export.n_clicks")
"""What takes seconds, and is asked for in few cases."""


def bodies(app: Any) -> Iterator[dict[str, Any]]:
    """A sound request for every callback that runs in the server, by every input that asks it."""
    for output, callback in sorted(app.callback_map.items()):
        if "callback" not in callback:
            continue
        inputs = [_held(one) for one in callback["inputs"]]
        for asked in inputs:
            yield {
                "output": output,
                "outputs": _outputs(output),
                "inputs": inputs,
                "changedPropIds": [f"{asked['id']}.{asked['property']}"],
                "state": [_held(one) for one in callback["state"]],
            }


def _held(part: dict[str, str]) -> dict[str, Any]:
    return {**part, "value": SOUND.get(f"{part['id']}.{part['property']}", 1)}


def _outputs(output: str) -> Any:
    parts = [part.partition("@")[0].rpartition(".") for part in output.strip(".").split("...")]
    plain = [{"id": name, "property": what} for name, _, what in parts]
    return plain if output.startswith("..") else plain[0]


def every_view(folder: Path) -> None:
    """A study's whole dashboard asked for once; an error in it is raised here."""
    app = make_app([folder], refresh=1e6)
    with _raising(app.server) as errors:
        client = app.server.test_client()
        client.get("/_dash-layout")
        for body in bodies(app):
            if body["changedPropIds"][0] in HEAVY:
                continue
            views = VIEWS if any(one["id"] == "view" for one in body["inputs"]) else ("front",)
            for view in views:
                given = json.loads(
                    json.dumps(body).replace('"value": "front"', f'"value": "{view}"')
                )
                client.post(UPDATE, json=given, headers=OWN)
                if errors:
                    raise errors[0]


@contextlib.contextmanager
def _raising(server: flask.Flask) -> Iterator[list[BaseException]]:
    """The errors that a server met."""
    found: list[BaseException] = []

    def met(_: Any, exception: BaseException, **__: Any) -> None:
        found.append(exception)

    flask.got_request_exception.connect(met, server)
    try:
        yield found
    finally:
        flask.got_request_exception.disconnect(met, server)


class Requests:
    """What is asked of a dashboard's server."""

    def __init__(self, job: Job, folder: Path) -> None:
        from fuzzing.studies import sound_study

        self.job = job
        shutil.copytree(sound_study(job.shared), folder / "study")
        self.app = make_app([folder / "study"], refresh=1e6)
        self.app.logger.disabled = True  # what goes wrong is told by the case
        self.client = self.app.server.test_client()
        self.bodies = list(bodies(self.app))
        self.secret = (folder / "study" / "study.json").read_bytes()[:60]

    def run(self, number: int) -> Result:
        """One request; an answer of 500 or more, or a file that is not the page's, is a fault."""
        rng = random.Random(f"{self.job.seed} Requests {number}")
        with _raising(self.app.server) as errors:
            said, answer = self._asked(rng)
        fault = None
        if errors:
            fault = fault_of(errors[0])
        elif answer.status_code >= 500:
            fault = Fault(f"answer {answer.status_code}", said)
        elif self.secret in answer.data or b"root:x:" in answer.data:
            fault = Fault("a file outside was served", said)
        if fault is None:
            return Result(number, "accepted" if answer.status_code < 400 else "refused")
        file = self.job.faults / f"requests-{fault.mark}.txt"
        file.write_text(f"{said}\n\n{fault.said}", errors="replace")
        return Result(number, "fault", fault=Fault(fault.name, fault.said, file.name))

    def _asked(self, rng: random.Random) -> tuple[str, Any]:
        if rng.random() < 0.1:
            path = rng.choice(PATHS)
            return path, self.client.open(
                path, method=rng.choice(("GET", "POST", "HEAD")), headers=OWN
            )
        body = json.loads(json.dumps(rng.choice(self.bodies)))
        light = [one for one in self.bodies if one["changedPropIds"][0] not in HEAVY]
        if body["changedPropIds"][0] in HEAVY and rng.random() < 0.98:
            body = json.loads(json.dumps(rng.choice(light)))
        parts = [*body["inputs"], *body["state"]]
        for part in parts:
            if part["id"] == "view":
                part["value"] = rng.choice(VIEWS)
        match rng.randrange(8):
            case 0:
                text = damaged_json(rng, json.dumps(body))
            case 1:
                text = damaged_text(rng, json.dumps(body))
            case 2:
                raw = damaged_bytes(rng, json.dumps(body).encode())
                return repr(raw), self._posted(raw)
            case 3:
                text = deep(rng)
            case _:
                for part in rng.sample(parts, k=min(len(parts), rng.choice((1, 1, 2)))):
                    value = copy.deepcopy(rng.choice((*NASTY, *SOUND.values())))
                    if rng.random() < 0.3:
                        with contextlib.suppress(ValueError, RecursionError):
                            value = json.loads(damaged_json(rng, json.dumps([part["value"]])))
                    part["value"] = value
                text = json.dumps(body)
        return text, self._posted(text.encode(errors="replace"))

    def _posted(self, content: bytes) -> Any:
        return self.client.post(UPDATE, data=content, content_type="application/json", headers=OWN)
