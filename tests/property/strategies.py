"""Random search spaces as plain tables, the way a file or a Python user writes them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from hypothesis import strategies as st

from mbnas.space import SearchSpace, make_space

Table = dict[str, Any]

ACTIVATIONS = ["relu", "relu6", "hardswish", "silu"]
WIDTHS = [4, 6, 8, 12, 16]
# What the options of a table may fix besides; no field is fixed by the tables of two others.
FIXED_BY: dict[str, dict[str, list[Any]]] = {
    "block": {"kernel": [1, 3, 5], "expansion": [1, 2, 2.5], "stride": [1, 2], "width": WIDTHS},
    "fusion": {"fusion_from": [1, 2, 3], "activation": ACTIVATIONS},
    "depth": {"se_ratio": [0.0, 0.25, 1]},
}
STAGE: dict[str, list[Any]] = {
    "block": ["mbconv", "fused_mbconv", "depthwise_separable", "identity"],
    "width": WIDTHS,
    "depth": [1, 2],
    "stride": [1, 2, 3],
    "kernel": [1, 3, 5],
    "expansion": [1, 1.5, 2, 3.0],
    "se_ratio": [0.0, 0.1, 0.25, 1],
    "activation": ACTIVATIONS,
    "fusion": ["none", "concat", "weighted_sum", "attention"],
    "fusion_from": [1, 2, 3],
}
FUSION_SETTINGS: dict[str, dict[str, list[Any]]] = {
    "concat": {"project": [False]},
    "weighted_sum": {"alpha": [0.0, 0.3, 1.0]},
}
STEM: dict[str, list[Any]] = {"width": WIDTHS, "stride": [1, 2], "activation": ACTIVATIONS}
HEAD: dict[str, list[Any]] = {
    "width": [0, 8, 24],
    "hidden": [0, 6],
    "activation": ACTIVATIONS,
    "dropout": [0.0, 0.2],
}
NETWORK: dict[str, list[Any]] = {
    "width_multiplier": [0.35, 0.5, 1.0, 1.4],
    "bn_eps": [1e-5, 1e-3],
    "divisor": [4, 8],
    "round_hidden": [False, True],
}


def subsets(values: Mapping[str, Sequence[Any]]) -> st.SearchStrategy[Table]:
    """A value for some of the fields."""
    return st.fixed_dictionaries(
        {}, optional={name: st.sampled_from(options) for name, options in values.items()}
    )


@st.composite
def table_options(draw: st.DrawFn, field: str) -> object:
    """One option of a field: a plain value, or a table that fixes other fields too."""
    kind = draw(st.sampled_from(STAGE[field]))
    besides = draw(subsets(FIXED_BY[field]))
    if field == "fusion":
        besides |= draw(subsets(FUSION_SETTINGS.get(kind, {})))
    return {"type": kind, **besides} if besides else kind


def chosen(field: str, values: Sequence[Any]) -> st.SearchStrategy[object]:
    """A scalar, or a list of up to three options."""
    option: st.SearchStrategy[object] = st.sampled_from(values)
    if field in FIXED_BY and values is STAGE[field]:
        option = st.one_of(option, table_options(field))
    several = st.lists(option, min_size=1, max_size=3, unique_by=repr)
    return st.one_of(option, option, several)


def tables(values: Mapping[str, Sequence[Any]], *required: str) -> st.SearchStrategy[Table]:
    strategies = {name: chosen(name, options) for name, options in values.items()}
    return st.fixed_dictionaries(
        {name: strategies[name] for name in required},
        optional={name: value for name, value in strategies.items() if name not in required},
    )


@st.composite
def space_tables(draw: st.DrawFn, resolutions: Sequence[int] = (1, 2, 3, 7, 8, 15, 64)) -> Table:
    """Arguments of `make_space`; with small resolutions some of these spaces cannot be."""
    given: Table = {
        "name": draw(st.sampled_from(["a space", "x", 'with "quotes"', "größe"])),
        "resolution": draw(chosen("resolution", resolutions)),
        **draw(tables(NETWORK)),
        "stages": draw(st.lists(tables(STAGE, "width"), min_size=1, max_size=3)),
    }
    for group, values in (("stem", STEM), ("head", HEAD), ("defaults", STAGE)):
        if draw(st.booleans()):
            given[group] = draw(tables(values))
    return given


def without_far_fusions(table: Table) -> Table:
    """Earlier maps are sought one stage back alone, so that they are there."""
    value = {
        key: without_far_fusions(item)
        if isinstance(item, dict)
        else [without_far_fusions(one) if isinstance(one, dict) else one for one in item]
        if isinstance(item, list)
        else item
        for key, item in table.items()
    }
    if "fusion_from" in value:
        value["fusion_from"] = 1
    return value


def distinct_options(table: Table) -> Table:
    """Options that became equal are left out but for the first."""
    result: Table = {}
    for key, item in table.items():
        if isinstance(item, dict):
            result[key] = distinct_options(item)
        elif isinstance(item, list) and key != "stages":
            result[key] = list({repr(one): one for one in item}.values())
        elif key == "stages":
            result[key] = [distinct_options(stage) for stage in item]
        else:
            result[key] = item
    return result


@st.composite
def spaces(draw: st.DrawFn, resolutions: Sequence[int] = (55, 64, 71)) -> SearchSpace:
    """Spaces that can be: a stem of stride 2 and three stages of 3 divide a map by at most 54."""
    given = distinct_options(without_far_fusions(draw(space_tables(resolutions))))
    return make_space(**given)
