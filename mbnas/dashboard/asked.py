"""What the dashboard's pages may ask: its own callbacks, with values of the kinds they take.

Dash hands to a callback whatever stands in a request. What none of our pages sends is refused
here, before that.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

from dash.exceptions import DependencyException, InvalidResourceError
from flask import Flask, Response, request
from werkzeug.exceptions import BadRequest

from mbnas.report.words import QUANTITIES

UPDATE = "/_dash-update-component"
MOST_BYTES = 2**20
"""Of a request; a page's own have some thousands."""
_LARGEST = 2**53

Kind = Callable[[object], bool]


def check_updates(server: Flask, callbacks: Mapping[str, Any]) -> None:
    """Refuses what none of the application's pages sends.

    Args:
        server: The web server.
        callbacks: Dash's map of all callbacks, by their outputs in one word.
    """
    server.config["MAX_CONTENT_LENGTH"] = MOST_BYTES
    for error in (DependencyException, InvalidResourceError):  # a script that is not the page's
        server.register_error_handler(error, lambda _: _answer("no such script", 404))
    asked = {output: one for output, one in callbacks.items() if "callback" in one}
    undeclared = {
        _name(part)
        for callback in asked.values()
        for part in (*callback["inputs"], *callback["state"])
        if _kind(_name(part)) is None
    }
    if undeclared:
        raise TypeError(f"say in KINDS what these may hold: {', '.join(sorted(undeclared))}")

    @server.before_request
    def check() -> Response | None:
        if request.path != UPDATE or request.method != "POST":
            return None
        try:
            body = request.get_json()
        except (BadRequest, RecursionError):
            return _answer("not JSON", 400)
        return None if _is_asked(body, asked) else _answer("not what a page asks", 400)


def _answer(reason: str, status: int) -> Response:
    return Response(f"mbnas dashboard: {reason}\n", status=status, mimetype="text/plain")


def _is_asked(body: object, callbacks: Mapping[str, Any]) -> bool:
    """Whether a request is for one of the callbacks, names its parts, and has their values."""
    if not isinstance(body, dict) or not isinstance(body.get("output"), str):
        return False
    callback = callbacks.get(body["output"])
    if callback is None or not _names_outputs(body):
        return False
    changed = body.get("changedPropIds")
    names = {_name(part) for part in callback["inputs"]}
    if not isinstance(changed, list) or not all(
        isinstance(one, str) and one in names for one in changed
    ):
        return False
    return all(_are_held(body.get(key, []), callback[key]) for key in ("inputs", "state"))


def _names_outputs(body: Mapping[str, Any]) -> bool:
    """Whether `outputs` says in parts what `output` says in a word."""
    word, parts = body["output"], body.get("outputs")
    if not word.startswith(".."):
        parts = [parts]
    if not isinstance(parts, list) or not all(
        isinstance(part, dict) and isinstance(part.get("id"), str) for part in parts
    ):
        return False
    said = [f"{part['id']}.{str(part.get('property')).partition('@')[0]}" for part in parts]
    return said == [one.partition("@")[0] for one in word.strip(".").split("...")]


def _are_held(given: object, wanted: list[dict[str, str]]) -> bool:
    """Whether the parts are the callback's, in its order, each with a value of its kind."""
    if not isinstance(given, list) or len(given) != len(wanted):
        return False
    return all(
        isinstance(part, dict)
        and (part.get("id"), part.get("property")) == (own["id"], own["property"])
        and _fits(_name(own), part.get("value"))
        for part, own in zip(given, wanted, strict=True)
    )


def _fits(name: str, value: object) -> bool:
    kind = _kind(name)
    return kind is not None and kind(value)


def _name(part: Mapping[str, str]) -> str:
    return f"{part['id']}.{part['property']}"


def _kind(name: str) -> Kind | None:
    return _anything if name.endswith(".n_clicks") else KINDS.get(name)


def _anything(value: object) -> bool:  # noqa: ARG001
    """Of what callbacks are called by and never look at."""
    return True


def _text(value: object) -> bool:
    return isinstance(value, str)


def _quantity(value: object) -> bool:
    return isinstance(value, str) and value in QUANTITIES


def _whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= _LARGEST


def _number(value: object) -> bool:
    return (
        isinstance(value, (int, float))
        and not isinstance(value, bool)
        and abs(value) <= _LARGEST
        and math.isfinite(value)
    )


def _table(value: object) -> bool:
    return isinstance(value, dict)


def _click(value: object) -> bool:
    """Of a plot: `{"points": [{"customdata": 17, ...}]}`."""
    points = value.get("points") if isinstance(value, dict) else None
    return isinstance(points, list) and bool(points) and all(map(_table, points))


def _window(value: object) -> bool:
    """Of a plot: `{"x": [0.1, 0.2], "y": [0.8, 0.9]}`, or one of the two."""
    return isinstance(value, dict) and all(
        axis in ("x", "y") and isinstance(ends, list) and len(ends) == 2 and all(map(_number, ends))
        for axis, ends in value.items()
    )


def _list_of(kind: Kind) -> Kind:
    return lambda value: isinstance(value, list) and all(map(kind, value))


def _or_nothing(kind: Kind) -> Kind:
    return lambda value: value is None or kind(value)


KINDS: Mapping[str, Kind] = {
    "as-of.max": _number,
    "as-of.value": _number,
    "budget.value": _or_nothing(_number),
    "direction.value": _text,
    "front.clickData": _or_nothing(_click),
    "front.relayoutData": _or_nothing(_table),
    "logs.value": _list_of(_text),
    "network-told.data": _or_nothing(_table),
    "opened.data": _or_nothing(_whole),
    "order.value": _text,
    "own-logs.data": _list_of(_text),
    "over.value": _text,
    "page.data": _whole,
    "picked.data": _or_nothing(_table),
    "pinned.data": _list_of(_whole),
    "study.value": _text,
    "tick.n_intervals": _anything,
    "url.search": _or_nothing(_text),
    "version.data": _anything,
    "view.value": _text,
    "walked.data": _or_nothing(_table),
    "which.value": _text,
    "window.data": _or_nothing(_window),
    "x-axis.value": _quantity,
    "y-axis.value": _quantity,
}
"""What each part of the page that a callback hears or looks at may hold."""
