"""What each field of an architecture may hold, said once for files, Python and JSON alike.

A dataclass names the check of a field in its metadata; `checked` turns a raw value into the
field's value, or says in words what it should have been.
"""

from __future__ import annotations

import dataclasses
import difflib
import functools
import json
import math
import operator
from collections.abc import Callable, Iterable, Mapping
from numbers import Real
from typing import Any

from mbnas.errors import SpaceError

Check = Callable[[object], Any]


def whole(least: int = 1, most: int = 1_000_000) -> Check:
    """A whole number in [least, most]; the upper bound keeps arithmetic on it finite."""

    def check(value: object) -> int:
        result = _plain_whole(value)
        if result is None or result < least:
            raise ValueError(f"must be a whole number of at least {least}")
        if result > most:
            raise ValueError(f"must be a whole number of at most {most}")
        return result

    return check


def odd(most: int = 999) -> Check:
    """An odd whole number: kernels are centred."""

    def check(value: object) -> int:
        result = _plain_whole(value)
        if result is None or result < 1:
            raise ValueError("must be an odd whole number, such as 3 or 5")
        if result > most:
            raise ValueError(f"must be an odd whole number of at most {most}")
        if result % 2 == 0:
            raise ValueError(f"must be odd, such as {max(1, result - 1)} or {result + 1}")
        return result

    return check


def number(least: float, most: float = math.inf, *, above: bool = False) -> Check:
    """A finite number in [least, most]; with `above`, greater than `least`."""
    low = f"above {least:g}" if above else f"at least {least:g}"
    words = f"must be a number {low}" + ("" if math.isinf(most) else f" and at most {most:g}")

    def check(value: object) -> float:
        if isinstance(value, bool) or not isinstance(value, Real):
            raise ValueError(words)
        try:
            result = float(value) + 0.0  # −0.0 becomes 0.0: two spellings of one number
        except OverflowError:  # a whole number beyond any float
            raise ValueError(words) from None
        if not math.isfinite(result) or not least <= result <= most or (above and result == least):
            raise ValueError(words)
        return result

    return check


def _plain_whole(value: object) -> int | None:
    """A whole number of whatever kind, numpy's too, as an `int`; None for all else, and flags."""
    if isinstance(value, bool):
        return None
    try:
        return operator.index(value)  # type: ignore[arg-type]
    except TypeError:
        return None


def boolean() -> Check:
    """True or false."""

    def check(value: object) -> bool:
        if not isinstance(value, bool):
            raise ValueError("must be true or false")
        return value

    return check


def one_of(names: Iterable[str]) -> Check:
    """One of some names."""
    known = tuple(names)

    def check(value: object) -> str:
        if not isinstance(value, str) or value not in known:
            hint = nearest(value, known) if isinstance(value, str) else ""
            raise ValueError(f"must be one of {', '.join(known)}{hint}")
        return value

    return check


def nearest(wrong: object, known: Iterable[str]) -> str:
    """`; did you mean "kernel"?`, or nothing where no known name is near."""
    match = difflib.get_close_matches(str(wrong), list(known), n=1)
    return f'; did you mean "{match[0]}"?' if match else ""


def fields_of(kind: type) -> dict[str, dataclasses.Field[Any]]:
    """The fields of a dataclass by name."""
    fields: dict[str, dataclasses.Field[Any]] = kind.__dict__["__dataclass_fields__"]
    return fields


def checked(kind: type, name: str, value: object, place: str) -> Any:
    """The value of field `name` of dataclass `kind`, normalised.

    Raises:
        SpaceError: the value is not one that the field may hold; the text begins with `place`.
    """
    return passed(_checks(kind)[name], value, place)


def passed(check: Check, value: object, place: str) -> Any:
    """A value as its check gives it back.

    Raises:
        SpaceError: it does not pass; the text begins with `place`.
    """
    try:
        return check(value)
    except ValueError as error:
        raise SpaceError(f"{place} = {shown(value)}: {error}") from None


def check_fields(record: Any) -> None:
    """Checks and normalises every field of a frozen dataclass; called from `__post_init__`.

    Raises:
        SpaceError: a field holds what it may not.
    """
    kind: type = type(record)
    for name, check in _checks(kind).items():
        place = f"{kind.__name__.lower()}.{name}"
        object.__setattr__(record, name, passed(check, getattr(record, name), place))


@functools.cache
def _checks(kind: type) -> Mapping[str, Check]:
    """The check of every field; one without a check may hold anything."""
    return {
        name: field.metadata.get("check", lambda value: value)
        for name, field in fields_of(kind).items()
    }


def check_keys(given: object, known: Iterable[str], place: str) -> Mapping[str, Any]:
    """The given table, once it is one and all its keys are known.

    Raises:
        SpaceError: not a table, or a key that nobody would read.
    """
    if not isinstance(given, Mapping):
        raise SpaceError(f"{place} = {shown(given)}: must be a table")
    known = tuple(known)
    for key in given:
        if key not in known:
            hint = nearest(key, known) or f"; known keys: {', '.join(known)}"
            raise SpaceError(f"{place}: unknown key {shown(str(key))}{hint}")
    return given


def shown(value: object) -> str:
    """A value as a user would have written it, on one line, cut when long."""
    text = _written(value, depth=5)
    return text if len(text) <= 80 else text[:77] + "..."


def _written(value: object, depth: int) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return "".join(
            letter if letter.isprintable() else letter.encode("unicode_escape").decode()
            for letter in json.dumps(value, ensure_ascii=False)
        )
    if isinstance(value, (Mapping, list, tuple)) and not depth:
        return "..."
    if isinstance(value, Mapping):
        items = [(str(key), _written(item, depth - 1)) for key, item in value.items()]
        inside = ", ".join(
            f"{key if key.isidentifier() else _written(key, depth)} = {item}" for key, item in items
        )
        return f"{{ {inside} }}" if inside else "{}"
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(_written(item, depth - 1) for item in value)}]"
    if isinstance(value, int) and value.bit_length() > 1000:
        return hex(value)  # Python refuses to write such a number in decimal
    return " ".join(str(value).split())
