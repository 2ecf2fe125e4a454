"""Whatever is written in a file: it is a space, or one line says why not."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from typing import Any

import pytest
import tomli_w
from hypothesis import example, given, settings
from hypothesis import strategies as st
from property.strategies import HEAD, NETWORK, STAGE, STEM, space_tables

from mbnas.errors import SpaceError
from mbnas.network import Architecture
from mbnas.network.checks import shown
from mbnas.space import SearchSpace, make_space, read_space

FIELDS = [*STAGE, *STEM, *HEAD, *NETWORK, "resolution", "stages", "type", "alpha", "project"]
GROUPS = ["stage", "stem", "head", "defaults", "schema", "name"]
WORDS = ["mbconv", "identity", "relu", "silu", "none", "concat", "weighted_sum", "attention"]

keys = st.sampled_from([*FIELDS, *GROUPS]) | st.text(max_size=8)
scalars = st.one_of(
    st.sampled_from(WORDS),
    st.text(max_size=8),
    st.booleans(),
    st.integers(-3, 40),
    st.integers(),
    st.sampled_from([10**400, -(10**400), 2**63, 1e308, 5e-324, -0.0]),
    st.floats(),
    st.dates(),
)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=3),
    max_leaves=6,
)


def fields(names: list[str]) -> st.SearchStrategy[dict[str, Any]]:
    return st.dictionaries(st.sampled_from(names) | keys, values, max_size=4)


# Mostly of the right shape, so that faults lie deep; each part may also be anything.
files = st.fixed_dictionaries(
    {
        "resolution": st.integers(1, 64) | st.lists(st.integers(1, 64), max_size=3) | values,
        "stage": st.lists(
            st.builds(lambda width, rest: {"width": width, **rest}, st.just(8), fields([*STAGE])),
            max_size=3,
        )
        | values,
    },
    optional={
        "schema": st.just(1) | values,
        "name": st.text(max_size=5) | values,
        "stem": fields([*STEM]) | values,
        "head": fields([*HEAD]) | values,
        "defaults": fields([*STAGE]) | values,
        **dict.fromkeys(NETWORK, values),
    },
) | st.dictionaries(keys, values, max_size=5)


def one_line(make: Callable[[], Any]) -> Any:
    """What is made, or None where one line says why not."""
    try:
        return make()
    except SpaceError as error:
        message = str(error)
    assert len(message.splitlines()) == 1, message
    assert len(message) < 500
    return None


def assert_usable(space: SearchSpace) -> None:
    """A space that loads has points, and they can be."""
    for seed in range(3):
        space.architecture(space.sample(random.Random(seed))).describe()


@given(files)
@settings(max_examples=250)
def test_any_tables_in_a_file(table: dict[str, Any]) -> None:
    try:
        text = tomli_w.dumps(table)
    except ValueError:  # a float or number that TOML's writer does not take
        return
    space = one_line(lambda: read_space(text))
    if space is not None:
        assert_usable(space)
        assert read_space(text) == space


@given(files)
@settings(max_examples=120)
def test_any_arguments_from_python(table: dict[str, Any]) -> None:
    table = {key: value for key, value in table.items() if key.isidentifier()}
    arguments = {"name": "x", "resolution": 8, "stages": table.pop("stage", []), **table}
    space = one_line(lambda: make_space(**arguments))
    if space is not None:
        assert_usable(space)


@given(space_tables(), st.data())
@settings(max_examples=120)
def test_a_good_space_with_one_thing_changed(table: dict[str, Any], data: st.DataObject) -> None:
    """One value anywhere in a sound table is replaced by anything."""
    places: list[tuple[Any, Any]] = []

    def walk(node: Any) -> None:
        for key, item in node.items() if isinstance(node, dict) else enumerate(node):
            places.append((node, key))
            if isinstance(item, (dict, list)):
                walk(item)

    walk(table)
    node, key = data.draw(st.sampled_from(places))
    node[key] = data.draw(values)
    space = one_line(lambda: make_space(**table))
    if space is not None:
        assert_usable(space)


@given(st.text())
@example("\ufeffresolution = 32")
@example("[[stage]]\n" * 3)
@example("resolution = 1e400\n")
@example("resolution = 9999-99-99")
def test_any_text(text: str) -> None:
    assert one_line(lambda: read_space(text)) is None


ARCHITECTURE = json.loads(
    Architecture.from_json('{"resolution": 16, "stages": [{}, {"fusion": "concat"}]}').to_json()
)


@given(
    st.recursive(
        st.none() | scalars.filter(lambda value: not hasattr(value, "year")),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=3),
        max_leaves=6,
    ),
    st.sampled_from(
        [
            *((key,) for key in ARCHITECTURE),
            *(("stem", key) for key in ARCHITECTURE["stem"]),
            *(("head", key) for key in ARCHITECTURE["head"]),
            *(("stages", 1, key) for key in ARCHITECTURE["stages"][1]),
            ("stages", 0),
            ("unknown",),
        ]
    ),
)
@settings(max_examples=120)
def test_any_value_in_an_architecture(value: Any, path: tuple[Any, ...]) -> None:
    given_table = json.loads(json.dumps(ARCHITECTURE))
    *parents, last = path
    node = given_table
    for part in parents:
        node = node[part]
    node[last] = value
    architecture = one_line(lambda: Architecture.from_dict(given_table))
    if architecture is not None:
        assert Architecture.from_json(architecture.to_json()) == architecture


@given(st.text() | st.binary())
def test_any_text_as_an_architecture(text: str | bytes) -> None:
    assert one_line(lambda: Architecture.from_json(text)) is None


@given(values)
def test_any_value_is_shown_on_one_short_line(value: object) -> None:
    text = shown(value)
    assert len(text) <= 80
    assert len(text.splitlines()) <= 1


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("a\nb", '"a\\nb"'),
        ('say "x"', '"say \\"x\\""'),
        ({"a b": [1, True], "c": {}}, '{ "a b" = [1, true], c = {} }'),
        ("ü×", '"ü×"'),
        ("x" * 100, '"' + "x" * 76 + "..."),
    ],
)
def test_shown_as_a_user_writes_it(value: object, text: str) -> None:
    assert shown(value) == text
