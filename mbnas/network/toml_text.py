"""TOML from strangers: the standard library's reader, kept from what it takes hours over."""

from __future__ import annotations

import re
import tomllib
from typing import Any

MOST_CHARACTERS = 2**20
MOST_DOTS = 100
"""In one line. The reader's time grows with the square of the parts of a key like `a.b.c`."""
# Neither dots in a row nor a number's dot part a key.
_NO_PARTS = re.compile(r"\.{2,}|(?<![\w.\"'])[-+]?\d+\.\d+(?=[\s,\]}]|$)")


def parse_toml(text: str) -> dict[str, Any]:
    """The table of a TOML text.

    Raises:
        ValueError: not TOML, or longer or deeper than anybody writes it.
    """
    if len(text) > MOST_CHARACTERS:
        raise ValueError(f"{len(text):,} characters; at most {MOST_CHARACTERS:,} are read")
    for at, line in enumerate(text.splitlines(), start=1):
        if line.count(".") > MOST_DOTS and _NO_PARTS.sub("", line).count(".") > MOST_DOTS:
            raise ValueError(f"a key of more than {MOST_DOTS} parts (at line {at})")
    try:
        return tomllib.loads(text)
    except RecursionError:
        raise ValueError("lists or tables too deep in one another") from None
