"""Reads a search space from plain tables, strictly: a list is a choice, a scalar is fixed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

from mbnas.errors import SpaceError
from mbnas.network import Architecture, Fusion, Head, Stage, Stem
from mbnas.network.checks import check_keys, checked, fields_of, shown
from mbnas.network.lowering import before_the_stem, check_blocks, stride_beyond_map
from mbnas.space.space import Choice, Label, Option, SearchSpace

SCHEMA = 1
MOST_POINTS = 10**300
"""What still is a float, and can be written out."""
MOST_LETTERS = 50
"""Of a space's name, by which folders and files are called."""
_GROUPS: dict[str, type] = {"stem": Stem, "head": Head}
_NETWORK_FIELDS = [name for name in fields_of(Architecture) if name not in (*_GROUPS, "stages")]
_KEYS = ["schema", "name", *_NETWORK_FIELDS, *_GROUPS, "defaults", "stage"]


def parse_space(table: Mapping[str, Any], toml: str) -> SearchSpace:
    """The space that a table describes; `toml` is the text it stands for.

    Raises:
        SpaceError: in one line, with the place, the value and the mend.
    """
    check_keys(table, _KEYS, "the file")
    schema = table.get("schema", SCHEMA)
    if isinstance(schema, bool) or schema != SCHEMA:
        raise SpaceError(f"schema = {shown(schema)}: this version of mbnas reads {SCHEMA}")
    _check_tables(table)
    name = table.get("name", "unnamed")
    if not isinstance(name, str) or not _is_file_name(name):
        raise SpaceError(
            f"name = {shown(name)}: must be a text fit for a file's name, of at most"
            f" {MOST_LETTERS} letters and without slashes"
        )
    if "resolution" not in table:
        raise SpaceError("resolution: missing; say for example resolution = [24, 32]")
    own = {key: table[key] for key in _NETWORK_FIELDS if key in table}
    fields = _choices(Architecture, own, "", "")
    for group, kind in _GROUPS.items():
        fields += _choices(kind, table.get(group, {}), group, f"{group}, ")
    stages = _stages(table)
    for at, stage in enumerate(stages, start=1):
        fields += _choices(Stage, stage, f"stage{at}", f"stage {at}, ")
    space = SearchSpace(name=name, fields=tuple(fields), stages=len(stages), toml=toml)
    if space.size > MOST_POINTS:
        raise SpaceError(
            f"{space.stages:,} stages: more than {MOST_POINTS:.0e} points; leave options out"
        )
    _check_maps(space)
    return space


def _check_tables(table: Mapping[str, Any]) -> None:
    """Refuses a table of the file that is none, or that holds a key that nobody would read."""
    for group, kind in _GROUPS.items():
        _check_table(table.get(group, {}), kind, group)
    _check_table(table.get("defaults", {}), Stage, "defaults")
    stages = table.get("stage", [])
    if not isinstance(stages, (list, tuple)):
        raise SpaceError(f"stage = {shown(stages)}: must be tables, each headed [[stage]]")
    for at, stage in enumerate(stages, start=1):
        _check_table(stage, Stage, f"stage {at}")


def _check_table(given: object, kind: type, place: str) -> None:
    known = fields_of(kind)
    if isinstance(given, Mapping):
        for key in given:
            if key in _KEYS and key not in known:
                raise SpaceError(
                    f"{place}: unknown key {shown(key)}; it belongs at the top of the file,"
                    " above the first [table]"
                )
    check_keys(given, known, place)


def _is_file_name(name: str) -> bool:
    is_short = 0 < len(name) <= MOST_LETTERS
    return is_short and name.isprintable() and bool(name.strip(". ")) and not set(name) & set("/\\")


def _stages(table: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The stages' tables, each with the defaults filled in."""
    defaults = table.get("defaults", {})
    for name, value in defaults.items():  # a fault here is told here, not at some stage
        _options(Stage, name, value, f"defaults, {name}")
    given = table.get("stage", [])
    if not given:
        raise SpaceError("stage: missing; a space needs at least one [[stage]]")
    stages = []
    for at, stage in enumerate(given, start=1):
        filled = {**defaults, **stage}
        if "width" not in filled:
            raise SpaceError(f"stage {at}: width is missing; say for example width = [24, 32]")
        stages.append(filled)
    return stages


def _choices(kind: type, table: Mapping[str, Any], group: str, place: str) -> list[Choice]:
    """One choice for each field named in a table of a stage, the stem, the head or the network.

    In the fields' own order: a table says the same, and is sampled alike, in whatever order its
    keys were written.
    """
    prefix = f"{group}." if group else ""
    choices = [
        Choice(prefix + name, _options(kind, name, table[name], f"{place}{name}"))
        for name in fields_of(kind)
        if name in table
    ]
    fixed_by = Counter(
        name
        for choice in choices
        for name in {name for option in choice.options for name, _ in option.also}
    )
    for name, times in fixed_by.items():
        if times > 1:
            raise SpaceError(f"{place}{name}: fixed by options of {times} fields; leave one")
    return choices


def _options(kind: type, name: str, value: object, place: str) -> tuple[Option, ...]:
    if not isinstance(value, (list, tuple)):
        return (_option(kind, name, value, place),)
    if not value:
        raise SpaceError(f"{place} = []: a choice needs at least one option")
    options = tuple(_option(kind, name, item, place) for item in value)
    # 1 and true are equal in Python; the type keeps their labels apart.
    seen = Counter((type(option.label), option.label) for option in options)
    for (_, label), times in seen.items():
        if times > 1:
            raise SpaceError(f"{place} = {shown(value)}: {shown(label)} stands {times} times")
    return options


def _option(kind: type, name: str, value: object, place: str) -> Option:
    if not isinstance(value, Mapping):
        result = checked(kind, name, value, place)
        return Option(_label(result), result)
    own = fields_of(Fusion) if name == "fusion" else {"type": None}
    others = [key for key in fields_of(kind) if key != name and key not in (*_GROUPS, "stages")]
    check_keys(value, [*own, *others], f"{place} = {shown(value)}")
    if "type" not in value:
        raise SpaceError(f'{place} = {shown(value)}: an option that is a table needs a "type"')
    if name == "fusion":
        result = checked(kind, name, {key: value[key] for key in value if key in own}, place)
    else:
        result = checked(kind, name, value["type"], place)
    also = []
    for key in others:
        if key in value:
            if isinstance(value[key], (list, tuple)):
                raise SpaceError(
                    f"{place}, {key} = {shown(value[key])}: an option fixes its fields;"
                    " write one option for each value"
                )
            also.append((key, checked(kind, key, value[key], f"{place}, {key}")))
    if not also:
        return Option(_label(result), result)
    extras = ", ".join(f"{key}={_label(item)}" for key, item in also)
    return Option(f"{_label(result)}({extras})", result, tuple(also))


def _label(value: object) -> Label:
    if isinstance(value, (bool, int, str)):
        return value
    if isinstance(value, float):
        return int(value) if value.is_integer() else value
    return str(value)


def _check_maps(space: SearchSpace) -> None:
    """Refuses a space in which a stride may be beyond its map, or a fusion from nowhere."""
    check_blocks(_deepest(space, f"stage{at}") for at in range(1, space.stages + 1))
    sizes = {resolution: resolution for resolution in space.resolutions}  # map → image
    for position in range(space.stages + 1):
        group, place = (f"stage{position}", f"stage {position}") if position else ("stem", "stem")
        default = Stage().stride if position else Stem().stride
        strides = {stride for (stride,) in space.values(group, {"stride": default})}
        side = min(sizes)
        for stride in sorted(strides):
            if stride > side:
                raise SpaceError(stride_beyond_map(place, stride, side, sizes[side]))
        sizes = {-(-size // stride): image for size, image in sizes.items() for stride in strides}
        fusions = space.values(group, {"fusion": Fusion(), "fusion_from": Stage().fusion_from})
        furthest = max((back for fusion, back in fusions if fusion.type != "none"), default=0)
        if furthest > position:
            raise SpaceError(before_the_stem(place, furthest, position))


def _deepest(space: SearchSpace, group: str) -> int:
    depths: set[tuple[int]] = space.values(group, {"depth": Stage().depth})
    return max(depth for (depth,) in depths)
