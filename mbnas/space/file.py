"""Search spaces from TOML files, and from Python."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mbnas.errors import SpaceError
from mbnas.network.toml_text import parse_toml
from mbnas.space.parse import SCHEMA, parse_space
from mbnas.space.space import SearchSpace

# What editors on Windows may begin a file with; a study keeps it, to have the exact bytes.
_BYTE_ORDER_MARK = "\ufeff"
# Installed from a wheel they lie inside the package, in a checkout beside it.
_PACKAGE = Path(__file__).parent.parent
_SHIPPED = (_PACKAGE.parent / "search_spaces", _PACKAGE / "search_spaces")


def load_space(path: str | Path) -> SearchSpace:
    """The space of a TOML file.

    Args:
        path: A file, or the name of a space that comes with mbnas (`digits_tiny`).

    Raises:
        SpaceError: the file is not there, not TOML, or not a space; the text names the file.
    """
    file = find_space(path)
    try:
        text = file.read_bytes().decode()
    except UnicodeDecodeError as error:
        raise SpaceError(f"{file}: not UTF-8 ({error.reason} at byte {error.start})") from None
    except OSError as error:
        raise SpaceError(f"{file}: cannot be read ({error.strerror})") from None
    try:
        return read_space(text)
    except SpaceError as error:
        raise SpaceError(f"{file}: {error}") from None


def read_space(text: str) -> SearchSpace:
    """The space of a TOML text.

    Raises:
        SpaceError: not TOML, or not a space.
    """
    try:
        table = parse_toml(text.removeprefix(_BYTE_ORDER_MARK))
    except ValueError as error:
        raise SpaceError(f"not TOML: {error}") from None
    return parse_space(table, text)


def make_space(
    name: str,
    *,
    resolution: int | Sequence[int],
    stages: Sequence[Mapping[str, Any]],
    stem: Mapping[str, Any] | None = None,
    head: Mapping[str, Any] | None = None,
    defaults: Mapping[str, Any] | None = None,
    **network: Any,
) -> SearchSpace:
    """A space from Python, by the file's own rule: a list is a choice, a scalar is fixed.

    Args:
        name: The space's name.
        resolution: Pixels.
        stages: One table a stage: `{"block": "mbconv", "width": [24, 32], "stride": 2}`.
        stem: The stem's table.
        head: The head's table.
        defaults: What every stage inherits.
        network: Other fields of the network: `width_multiplier`, `bn_eps`, `divisor`,
            `round_hidden`.

    Raises:
        SpaceError: in one line, with the place, the value and the mend.
    """
    table: dict[str, Any] = {"schema": SCHEMA, "name": name, "resolution": resolution, **network}
    table |= {
        key: value
        for key, value in (("stem", stem), ("head", head), ("defaults", defaults))
        if value is not None
    }
    table["stage"] = stages
    try:
        plain = _plain(table)
        import tomli_w  # reading needs it not, and a bare GPU machine has it not

        text = tomli_w.dumps(plain)
    except (TypeError, ValueError, RecursionError) as error:
        raise SpaceError(f"{name}: holds what TOML cannot: {error}") from None
    return parse_space(plain, text)


def find_space(name: str | Path) -> Path:
    """The file of that path, or of a space that comes with mbnas.

    Raises:
        SpaceError: neither is there.
    """
    path = Path(name)
    try:
        if path.is_file():
            return path
        is_there = path.exists()
    except OSError as error:  # a name too long, a folder that may not be entered
        raise SpaceError(f"{path}: cannot be read ({error.strerror})") from None
    shipped = shipped_spaces()
    if str(path) in shipped:
        return shipped[str(path)]
    if is_there:
        raise SpaceError(f"{path}: not a file; give a search-space file")
    raise SpaceError(
        f"{path}: no such file; give a TOML file, or a space that comes with mbnas:"
        f" {', '.join(shipped)}"
    )


def shipped_spaces() -> dict[str, Path]:
    """The files of the spaces that come with mbnas, by their names."""
    return {file.stem: file for folder in _SHIPPED for file in sorted(folder.glob("*.toml"))}


def _plain(value: Any) -> Any:
    """Tuples as lists and mappings as dicts, as the TOML writer takes them."""
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return value
