"""The architecture as an object, as JSON and as words."""

from __future__ import annotations

import json
from dataclasses import FrozenInstanceError, replace
from typing import Any

import numpy as np
import pytest

from mbnas.errors import SpaceError
from mbnas.network import REFERENCES, Architecture, Fusion, Head, Stage, Stem, reference
from mbnas.network.graph import GraphBuilder

VARIED = Architecture(
    resolution=33,
    stem=Stem(width=12, stride=1, activation="silu"),
    stages=(
        Stage(block="identity", width=12),
        Stage(width=24, depth=2, stride=2, kernel=5, expansion=2.5, se_ratio=0.25),
        Stage(
            block="fused_mbconv",
            width=24,
            activation="hardswish",
            fusion=Fusion(type="weighted_sum", alpha=0.3),
            fusion_from=2,
        ),
        Stage(block="depthwise_separable", width=32, fusion=Fusion(type="concat", project=False)),
        Stage(width=32, fusion=Fusion(type="attention"), fusion_from=5),
    ),
    head=Head(width=64, hidden=48, activation="relu", dropout=0.1),
    width_multiplier=1.25,
    bn_eps=1e-3,
    divisor=4,
    round_hidden=True,
)


@pytest.mark.parametrize(
    "architecture", [VARIED, *(reference(name) for name in REFERENCES)], ids=lambda item: item.id
)
def test_json_both_ways(architecture: Architecture) -> None:
    text = architecture.to_json()
    again = Architecture.from_json(text)
    assert again == architecture
    assert again.id == architecture.id
    assert again.to_json() == text
    assert Architecture.from_json(architecture.to_json(indent=None).encode()) == architecture
    assert Architecture.from_dict(architecture.to_dict()) == architecture


def test_json_says_every_field_in_plain_values() -> None:
    given = json.loads(VARIED.to_json())
    assert given["schema"] == 1
    assert given["width_multiplier"] == 1.25
    assert given["stem"] == {"width": 12, "stride": 1, "activation": "silu"}
    assert given["stages"][2]["fusion"] == {"type": "weighted_sum", "alpha": 0.3}
    assert given["stages"][3]["fusion"] == {"type": "concat", "project": False}
    assert given["stages"][4]["fusion"] == "attention"
    assert given["stages"][0]["fusion"] == "none"
    assert set(given["stages"][1]) == {
        "block", "width", "depth", "stride", "kernel", "expansion", "se_ratio", "activation",
        "fusion", "fusion_from",
    }  # fmt: skip


def test_what_json_leaves_out_takes_the_defaults() -> None:
    short = Architecture.from_json('{"resolution": 32, "stages": [{"width": 24}]}')
    assert short == Architecture(resolution=32, stages=(Stage(width=24),))


def test_frozen() -> None:
    with pytest.raises(FrozenInstanceError):
        VARIED.resolution = 64  # type: ignore[misc]
    assert len({VARIED, replace(VARIED)}) == 1


def test_whole_and_real_numbers_are_the_same_value() -> None:
    assert Stage(expansion=6) == Stage(expansion=6.0)
    assert repr(Stage(expansion=6)) == repr(Stage(expansion=6.0))


def test_described_in_one_line_a_stage() -> None:
    assert VARIED.describe().split("\n") == [
        "33 px ×1.25 · stem 12 s1 silu",
        "1 identity 12×1 s1",
        "2 mbconv k5 e2.5 24×2 s2 se0.25 relu6",
        "3 fused_mbconv k3 e6 24×1 s1 hardswish + weighted_sum(0.3) from 2",
        "4 depthwise_separable k3 32×1 s1 relu6 + concat(project=false) from 1",
        "5 mbconv k3 e6 32×1 s1 relu6 + attention from 5",
        "head conv 64 hidden 48 relu dropout 0.1",
    ]


def stage_with(**fields: Any) -> dict[str, Any]:
    return {"resolution": 32, "stages": [{"width": 24}, {"width": 24, **fields}]}


FAULTS: dict[str, tuple[object, str]] = {
    "not a table": ([1, 2], "architecture = [1, 2]: must be a table"),
    "unknown key": (
        {"resolution": 32, "stages": [], "resolutoin": 3},
        'architecture: unknown key "resolutoin"; did you mean "resolution"?',
    ),
    "unknown key of a stage": (
        stage_with(kernal=3),
        'stage 2: unknown key "kernal"; did you mean "kernel"?',
    ),
    "unknown key of the stem": (
        {**stage_with(), "stem": {"wdith": 3}},
        'stem: unknown key "wdith"; did you mean "width"?',
    ),
    "unknown key of the head": (
        {**stage_with(), "head": {"zzz": 3}},
        'head: unknown key "zzz"; known keys: width, hidden, activation, dropout',
    ),
    "unknown schema": (
        {**stage_with(), "schema": 2},
        "architecture.schema = 2: this version of mbnas reads schema 1",
    ),
    "schema of another type": (
        {**stage_with(), "schema": True},
        "architecture.schema = true: this version of mbnas reads schema 1",
    ),
    "no stages": ({"resolution": 32}, "architecture: stages is missing"),
    "no resolution": ({"stages": [{"width": 3}]}, "architecture: resolution is missing"),
    "empty stages": (
        {"resolution": 32, "stages": []},
        "architecture.stages = []: must hold at least one stage",
    ),
    "stages of another type": (
        {"resolution": 32, "stages": {"width": 3}},
        "architecture.stages = { width = 3 }: must be a list",
    ),
    "a stage of another type": (
        {"resolution": 32, "stages": ["mbconv"]},
        'stage 1 = "mbconv": must be a table',
    ),
    "a list where one value belongs": (
        stage_with(kernel=[3, 5]),
        "stage 2, kernel = [3, 5]: must be an odd whole number, such as 3 or 5",
    ),
    "even kernel": (stage_with(kernel=4), "stage 2, kernel = 4: must be odd, such as 3 or 5"),
    "no width": (stage_with(width=0), "stage 2, width = 0: must be a whole number of at least 1"),
    "a flag as a number": (
        stage_with(depth=True),
        "stage 2, depth = true: must be a whole number of at least 1",
    ),
    "an endless depth": (
        stage_with(depth=10**9),
        "stage 2, depth = 1000000000: must be a whole number of at most 1000",
    ),
    "more blocks than anybody wants": (
        {"resolution": 32, "stages": [{"width": 8, "depth": 1000}, {"width": 8}]},
        "depth: 1,001 blocks in all stages together; at most 1,000, lower a depth or leave stages"
        " out",
    ),
    "expansion below one": (
        stage_with(expansion=0.5),
        "stage 2, expansion = 0.5: must be a number at least 1 and at most 1000",
    ),
    "se_ratio above one": (
        stage_with(se_ratio=1.5),
        "stage 2, se_ratio = 1.5: must be a number at least 0 and at most 1",
    ),
    "not a number": (
        stage_with(se_ratio=float("nan")),
        "stage 2, se_ratio = nan: must be a number at least 0 and at most 1",
    ),
    "misspelled activation": (
        stage_with(activation="hard_swish"),
        'stage 2, activation = "hard_swish": must be one of relu, relu6, hardswish, silu; did you'
        ' mean "hardswish"?',
    ),
    "misspelled block": (
        stage_with(block="mbcnov"),
        'stage 2, block = "mbcnov": must be one of mbconv, fused_mbconv, depthwise_separable,'
        ' identity; did you mean "mbconv"?',
    ),
    "misspelled fusion": (
        stage_with(fusion="concta"),
        'stage 2, fusion = "concta": fusion.type = "concta": must be one of none, concat,'
        ' weighted_sum, attention; did you mean "concat"?',
    ),
    "alpha without a weighted sum": (
        stage_with(fusion={"type": "concat", "alpha": 0.5}),
        'stage 2, fusion = { type = "concat", alpha = 0.5 }: fusion.alpha = 0.5: goes with'
        " weighted_sum alone",
    ),
    "project without a concat": (
        stage_with(fusion={"type": "attention", "project": False}),
        'stage 2, fusion = { type = "attention", project = false }: fusion.project = false: goes'
        " with concat alone, not attention",
    ),
    "alpha above one": (
        stage_with(fusion={"type": "weighted_sum", "alpha": 2}),
        'stage 2, fusion = { type = "weighted_sum", alpha = 2 }: fusion.alpha = 2: must be a'
        " number at least 0 and at most 1",
    ),
    "fusion from before the stem": (
        stage_with(fusion="concat", fusion_from=3),
        "stage 2, fusion_from = 3: points before the stem; at most 2 here",
    ),
    "a stride on nothing": (
        {"resolution": 2, "stages": [{"width": 24, "stride": 2}]},
        "stage 1, stride = 2: its map is only 1×1 at resolution 2; lower a stride or raise the"
        " resolution",
    ),
    "a stride that does what a smaller one does": (
        {"resolution": 16, "stages": [{"width": 24, "stride": 9}]},
        "stage 1, stride = 9: its map is only 8×8 at resolution 16; lower a stride or raise the"
        " resolution",
    ),
    "a stem's stride on nothing": (
        {"resolution": 1, "stages": [{"width": 24}]},
        "stem, stride = 2: its map is only 1×1 at resolution 1; lower a stride or raise the"
        " resolution",
    ),
    "no dropout like that": (
        {**stage_with(), "head": {"dropout": 1}},
        "head, dropout = 1: must be a number at least 0 and at most 0.99",
    ),
    "no multiplier like that": (
        {**stage_with(), "width_multiplier": 0},
        "architecture.width_multiplier = 0: must be a number above 0 and at most 1000",
    ),
    "a number beyond any float": (
        {**stage_with(), "bn_eps": 10**400},
        "architecture.bn_eps = 0x",
    ),
    "null": (
        {**stage_with(), "divisor": None},
        "architecture.divisor = None: must be a whole number of at least 1",
    ),
    "a flag that is a word": (
        {**stage_with(), "round_hidden": "yes"},
        'architecture.round_hidden = "yes": must be true or false',
    ),
    "a line break in a value": (
        stage_with(activation="re\nlu\u2028"),
        'stage 2, activation = "re\\nlu\\u2028": must be one of',
    ),
    "a line break in a key": (stage_with(**{"ker\nnel": 3}), 'stage 2: unknown key "ker\\nnel"'),
}


@pytest.mark.parametrize(("given", "text"), FAULTS.values(), ids=FAULTS.keys())
def test_faults_are_told_in_one_line(given: object, text: str) -> None:
    with pytest.raises(SpaceError) as caught:
        Architecture.from_dict(given)
    assert isinstance(caught.value, ValueError)
    assert str(caught.value).startswith(text)
    assert len(str(caught.value).splitlines()) == 1
    with pytest.raises(SpaceError) as from_text:
        Architecture.from_json(json.dumps(given))
    assert str(from_text.value) == str(caught.value)


@pytest.mark.parametrize(
    "text",
    ["", "{", "not json", b"\xff\xfe\xff", "[" * 100_000, '{"resolution": ' + "9" * 5000 + "}"],
    ids=["empty", "broken", "words", "bytes", "too deep", "too long a number"],
)
def test_what_is_no_json_is_told_in_one_line(text: str | bytes) -> None:
    with pytest.raises(SpaceError, match=r"^architecture: not JSON \(.+\)$"):
        Architecture.from_json(text)


def test_the_same_faults_from_python() -> None:
    with pytest.raises(SpaceError, match=r"^stage\.kernel = 4: must be odd, such as 3 or 5$"):
        Stage(width=8, kernel=4)
    with pytest.raises(SpaceError, match=r'^stem\.activation = "gelu": must be one of relu, '):
        Stem(activation="gelu")
    with pytest.raises(SpaceError, match=r"^head\.width = -1: must be a whole number of at least"):
        Head(width=-1)
    with pytest.raises(SpaceError, match=r"^fusion\.type = 3: must be one of none, concat, "):
        Fusion(type=3)  # type: ignore[arg-type]


PARTS: dict[str, tuple[dict[str, Any], str]] = {
    "a table for the stem": (
        {"stem": {"width": 8}},
        "architecture.stem = { width = 8 }: must be a Stem, such as Stem(width=24);"
        " Architecture.from_dict reads tables",
    ),
    "a number for the head": (
        {"head": 3},
        "architecture.head = 3: must be a Head, such as Head(width=24);"
        " Architecture.from_dict reads tables",
    ),
    "a table for a stage": (
        {"stages": [{"width": 8}]},
        "architecture.stages = [{ width = 8 }]: stage 1 must be a Stage, such as Stage(width=24);"
        " Architecture.from_dict reads tables",
    ),
    "a stage for stages": ({"stages": Stage()}, "architecture.stages = Stage("),
    "a number for stages": (
        {"stages": 3},
        "architecture.stages = 3: must be a list of stages, such as [Stage(width=24)]",
    ),
    "no stages": ({"stages": ()}, "architecture.stages = []: must hold at least one stage"),
}


@pytest.mark.parametrize(("given", "text"), PARTS.values(), ids=PARTS.keys())
def test_parts_of_another_type_are_told_in_one_line(given: dict[str, Any], text: str) -> None:
    with pytest.raises(SpaceError) as caught:
        Architecture(**{"resolution": 32, "stages": (Stage(),), **given})
    assert str(caught.value).startswith(text)
    assert len(str(caught.value).splitlines()) == 1


@pytest.mark.parametrize("wrong", ["10", 10.0, 0, True, None], ids=repr)
@pytest.mark.parametrize("name", ["classes", "channels"])
def test_what_is_no_number_of_classes_or_channels(name: str, wrong: Any) -> None:
    with pytest.raises(SpaceError, match=rf"^{name} = .+: must be a whole number of at least 1$"):
        VARIED.lower(**{name: wrong})


def test_numbers_of_numpy_are_those_of_python() -> None:
    three: Any = np.int64(3)
    quarter: Any = np.float32(0.25)
    stage = Stage(width=8 * three, kernel=three, expansion=three, se_ratio=quarter)
    given = Architecture(resolution=three + 29, stages=(stage,), width_multiplier=6 * quarter)
    plain = Architecture(
        resolution=32,
        stages=(Stage(width=24, kernel=3, expansion=3, se_ratio=0.25),),
        width_multiplier=1.5,
    )
    assert given.to_json() == plain.to_json()
    assert given.id == plain.id
    assert repr(given) == repr(plain)
    assert given.lower(three, three).digest() == plain.lower(3, 3).digest()
    flag: Any = np.True_
    with pytest.raises(SpaceError, match=r"^stage\.width = True: must be a whole number"):
        Stage(width=flag)


def test_two_nodes_of_one_name_are_a_fault_of_a_block() -> None:
    graph = GraphBuilder(3, 8, 1e-5)
    graph.conv("twice", graph.conv("twice", 0, 8), 8)
    with pytest.raises(ValueError, match=r"two nodes are called twice\.conv"):
        graph.build()
