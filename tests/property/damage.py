"""Sound files made unsound: by bytes, by the words of a text, by the values of JSON."""

from __future__ import annotations

import codecs
import contextlib
import copy
import json
import random
import re
from collections.abc import Callable, Sequence
from typing import Any

NASTY: tuple[Any, ...] = (
    *(None, True, False, "", "x", "\0", "\ud800", "a\nb", "../../etc/passwd", "<b>", "NaN"),
    *(0, -1, 1, 2, 7, 255, 2**31, 2**53, 2**63, 2**64, -(2**63), 10**30, 10**400),
    *(0.0, -0.0, 0.5, 1.5, 1e-320, 1e308, -1e308, float("nan"), float("inf"), float("-inf")),
    *([], {}, [[]], [0], [None], {"": 0}, {"type": "none"}, "x" * 5000, [0] * 2000),
)
WORDS = (
    *("nan", "inf", "-inf", "1e400", "1e-400", "-1", "0", "0.0", "true", "9" * 30, "9" * 5000),
    *("0x" + "f" * 9000, "1979-05-27T07:32:00Z", "9999-99-99", "'''", '"""', '"', "'", "#", "\\"),
    *(
        "[",
        "]",
        "[[",
        "]]",
        "{",
        "}",
        "=",
        ",",
        ".",
        "\n",
        "\r",
        "\0",
        "\u2028",
        "\ufeff",
        "\ud7ff",
    ),
    *("[]", "{}", "[[]]", "width", "[[stage]]", "[defaults]", "schema", "type", "fusion_from"),
    *("resolution", "1000000", "1000", "999", '"concat"', '"mbconv"', '{ type = "mbconv" }'),
    *('{ type = "concat", project = false }', "depth = 1000", "stride = 3", "recipe", "rungs"),
)
_TOKEN = re.compile(r'"(?:[^"\\\n]|\\.)*"|[\w.+-]+|\s+|.', re.DOTALL)
_ENCODINGS = ("utf-16", "utf-32", "utf-8-sig", "utf-7", "cp037")


def damaged_bytes(rng: random.Random, content: bytes, others: Sequence[bytes] = ()) -> bytes:
    """Cut short, emptied, bits flipped, parts lost, doubled, zeroed or taken from elsewhere."""
    start, end = sorted(rng.choices(range(len(content) + 1), k=2))
    end = min(end, start + rng.choice((1, 4, 64, 4096)))
    junk = rng.randbytes(rng.choice((1, 2, 8, 64)))
    match rng.randrange(10):
        case 0:
            return content[:start]
        case 1:
            return rng.choice((b"", b"\0", b"\0" * len(content), rng.randbytes(len(content))))
        case 2:
            return content[:start] + content[end:]
        case 3:
            return content[:end] + content[start:]
        case 4:
            return content[:start] + bytes(end - start) + content[end:]
        case 5:
            return content[:start] + junk + content[start:]
        case 6 if others:
            other = rng.choice(others)
            return content[:start] + other[rng.randrange(len(other) + 1) :]
        case 7:
            return content[start:] + junk
    flipped = bytearray(content)
    for _ in range(rng.choice((1, 1, 2, 8)) if flipped else 0):
        flipped[rng.randrange(len(flipped))] ^= 1 << rng.randrange(8)
    return bytes(flipped)


def damaged_text(rng: random.Random, text: str, others: Sequence[str] = ()) -> str:
    """Some words or lines lost, doubled, swapped, or put in place of others."""
    words = _TOKEN.findall(text)
    for _ in range(rng.choice((1, 1, 1, 2, 4))):
        at = rng.randrange(len(words) + 1)
        lines = "".join(words).splitlines(keepends=True)
        match rng.randrange(8):
            case 0 | 1:
                words[at : at + 1] = [rng.choice(WORDS)]
            case 2:
                words[at:at] = [rng.choice(WORDS)]
            case 3:
                del words[at : at + rng.choice((1, 2, 9))]
            case 4 if words:
                words[at : at + 1] = [rng.choice(words)]
            case 5 if lines:
                lines[rng.randrange(len(lines))] = rng.choice(("", *lines))
                words = _TOKEN.findall("".join(lines))
            case 6 if lines:
                lines.insert(rng.randrange(len(lines)), rng.choice(lines))
                words = _TOKEN.findall("".join(lines))
            case 7 if others:
                more = rng.choice(others).splitlines(keepends=True)
                lines.insert(rng.randrange(len(lines) + 1), rng.choice(more or [""]))
                words = _TOKEN.findall("".join(lines))
    return "".join(words)


def recoded(rng: random.Random, text: str) -> bytes:
    """The same text in an encoding that nobody expects."""
    encoded = text.encode(rng.choice(_ENCODINGS), errors="replace")
    return rng.choice((encoded, codecs.BOM_UTF16_LE + text.encode(errors="replace")))


def deep(rng: random.Random) -> str:
    """Brackets in brackets, as JSON and as TOML's value."""
    depth = rng.choice((50, 500, 5_000, 100_000))
    opening, closing = rng.choice((("[", "]"), ('{"a":', "}"), ("{a=", "}")))
    return opening * depth + "1" + rng.choice((closing * depth, ""))


def damaged_json(rng: random.Random, text: str) -> str:
    """A value replaced, lost, moved or given twice, anywhere in a JSON text."""
    try:
        table = json.loads(text)
    except (ValueError, RecursionError):
        return damaged_text(rng, text)
    for _ in range(rng.choice((1, 1, 2, 3))):
        if not (places := list(_places(table))):
            break
        holder, key = rng.choice(places)
        match rng.randrange(8):
            case 0:
                del holder[key]
            case 1:
                other, there = rng.choice(places)
                holder[key] = json.loads(json.dumps(other[there]))
            case 2 if isinstance(holder, dict):
                name = rng.choice(("", "x", "schema", "number", str(key) + " "))
                holder[name] = copy.deepcopy(holder[key])
            case 3 if isinstance(holder, list):
                holder.insert(0, copy.deepcopy(holder[key]))
            case 4 if isinstance(holder[key], (int, float)):
                with contextlib.suppress(OverflowError):
                    holder[key] = holder[key] * rng.choice((-1, 0, 10, 1.5, 1e6, 10**25))
            case _:
                holder[key] = copy.deepcopy(rng.choice(NASTY))
    if rng.random() < 0.05:
        return _with_deep(rng, table)
    return json.dumps(table, indent=rng.choice((None, 2)))


def _with_deep(rng: random.Random, table: Any) -> str:
    places = list(_places(table))
    if not places:
        return deep(rng)
    holder, key = rng.choice(places)
    holder[key] = "DEEP"
    return json.dumps(table).replace('"DEEP"', deep(rng))


def _places(node: Any) -> Any:
    for key, item in node.items() if isinstance(node, dict) else enumerate(node):
        yield node, key
        if isinstance(item, (dict, list)):
            yield from _places(item)


def smallest(content: bytes, fails: Callable[[bytes], bool], tries: int = 300) -> bytes:
    """What is left of a failing content when parts that do not matter are taken out of it."""
    size = max(1, len(content) // 2)
    while size and tries > 0:
        at = 0
        while at < len(content) and tries > 0:
            tries -= 1
            shorter = content[:at] + content[at + size :]
            if fails(shorter):
                content = shorter
            else:
                at += size
        size //= 2
    return content
