"""One id for all spellings of a network, and another for every other network."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from mbnas.network import Architecture, Fusion, Head, Stage, Stem, reference

BASE = Architecture(
    resolution=32,
    stem=Stem(width=16, stride=1, activation="relu"),
    stages=(
        Stage(width=24, stride=2, expansion=4, kernel=5, se_ratio=0.25, activation="silu"),
        Stage(block="fused_mbconv", width=24, depth=2, expansion=3, fusion=Fusion(type="concat")),
        Stage(block="depthwise_separable", width=40, stride=2),
    ),
    head=Head(width=64, hidden=32, activation="hardswish", dropout=0.2),
)


def with_stage(at: int, **changes: Any) -> Architecture:
    stages = list(BASE.stages)
    stages[at] = replace(stages[at], **changes)
    return replace(BASE, stages=tuple(stages))


def test_ids_are_stable() -> None:
    assert reference("mobilenet_v1").id == "ea20f5f340afa70c"
    assert reference("mobilenet_v2").id == "fb98bb531ed9ae74"
    assert reference("efficientnet_b0").id == "e31b01bb0f2242eb"
    assert reference("efficientnet_v2_s").id == "47196b8ea6962e96"


@pytest.mark.parametrize("at", range(4))
@pytest.mark.parametrize("depth", [1, 3])
def test_an_identity_anywhere_is_the_same_network(at: int, depth: int) -> None:
    width = [16, 24, 24, 40][at]
    nothing = Stage(block="identity", width=width, depth=depth)
    longer = replace(BASE, stages=(*BASE.stages[:at], nothing, *BASE.stages[at:]))
    assert longer.id == BASE.id
    assert longer != BASE


def test_an_identity_that_changes_width_or_stride_is_another_network() -> None:
    wider = replace(BASE, stages=(*BASE.stages, Stage(block="identity", width=48)))
    strided = replace(BASE, stages=(*BASE.stages, Stage(block="identity", width=40, stride=2)))
    assert len({BASE.id, wider.id, strided.id}) == 3


@pytest.mark.parametrize(
    "ignored",
    [{"kernel": 7}, {"expansion": 2}, {"se_ratio": 0.5}, {"activation": "silu"}, {"depth": 4}],
    ids=str,
)
@pytest.mark.parametrize("width", [16, 40], ids=["nothing", "shortcut"])
def test_identity_ignores_what_it_does_not_take(ignored: dict[str, Any], width: int) -> None:
    plain = Stage(block="identity", width=width)
    one = replace(BASE, stages=(plain, *BASE.stages))
    other = replace(BASE, stages=(replace(plain, **ignored), *BASE.stages))
    assert one.id == other.id


@pytest.mark.parametrize("kind", ["concat", "weighted_sum", "attention"])
def test_a_map_fused_with_itself_is_that_map(kind: str) -> None:
    nothing = Stage(block="identity", width=16)
    fused = replace(nothing, fusion=Fusion(type=kind))
    one = replace(BASE, stages=(nothing, *BASE.stages))
    other = replace(BASE, stages=(fused, *BASE.stages))
    # Two stages of nothing: the furthest map is still the same one.
    twice = replace(BASE, stages=(nothing, replace(fused, fusion_from=2), *BASE.stages))
    assert one.id == other.id == twice.id == BASE.id


def test_explicit_widths_and_a_multiplier_are_two_spellings() -> None:
    written = reference("mobilenet_v2")
    half = replace(written, width_multiplier=0.5)
    explicit = replace(
        written,
        stem=replace(written.stem, width=16),
        stages=tuple(
            replace(stage, width=width)
            for stage, width in zip(written.stages, [8, 16, 16, 32, 48, 80, 160], strict=True)
        ),
    )
    assert half.id == explicit.id
    assert half != explicit
    assert half.id != written.id


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"fusion_from": 1}, {"fusion_from": 3}),  # no fusion, so from nowhere
        ({"expansion": 2}, {"expansion": 5}),  # depthwise_separable has none
        ({"activation": "relu6"}, {}),
    ],
)
def test_ignored_fields_of_the_last_stage(one: dict[str, Any], other: dict[str, Any]) -> None:
    assert with_stage(2, **one).id == with_stage(2, **other).id


def test_ignored_fields_of_the_head_and_the_rounding() -> None:
    bare = replace(BASE, head=Head(activation="relu"))
    assert bare.id == replace(BASE, head=Head(activation="silu")).id
    assert replace(BASE, divisor=4).id == BASE.id  # nothing is multiplied or rounded
    assert replace(BASE, round_hidden=True).id == BASE.id  # 64 and 72 are multiples of 8 already


def test_classes_and_channels_are_not_in_the_id() -> None:
    before = BASE.id
    BASE.lower(1000, 1)
    assert BASE.id == before
    assert BASE.lower(10).digest() != BASE.lower(100).digest()


def test_every_spelling_of_a_number() -> None:
    whole = with_stage(1, fusion=Fusion(type="weighted_sum", alpha=0))
    negative = with_stage(1, fusion=Fusion(type="weighted_sum", alpha=-0.0))
    assert whole.id == negative.id
    assert repr(whole) == repr(negative)


DIFFERENT: dict[str, Callable[[], Architecture]] = {
    "resolution": lambda: replace(BASE, resolution=33),
    "bn_eps": lambda: replace(BASE, bn_eps=1e-3),
    "bn_eps, barely": lambda: replace(BASE, bn_eps=1.0000000000000001e-05 * (1 + 1e-12)),
    "width_multiplier": lambda: replace(BASE, width_multiplier=0.5),
    "expansion, unrounded": lambda: with_stage(0, expansion=4.3),
    "expansion, rounded": lambda: replace(with_stage(0, expansion=4.3), round_hidden=True),
    "stem width": lambda: replace(BASE, stem=replace(BASE.stem, width=24)),
    "stem stride": lambda: replace(BASE, stem=replace(BASE.stem, stride=2)),
    "stem activation": lambda: replace(BASE, stem=replace(BASE.stem, activation="relu6")),
    "head width": lambda: replace(BASE, head=replace(BASE.head, width=72)),
    "no head width": lambda: replace(BASE, head=replace(BASE.head, width=0)),
    "hidden": lambda: replace(BASE, head=replace(BASE.head, hidden=0)),
    "head activation": lambda: replace(BASE, head=replace(BASE.head, activation="silu")),
    "dropout": lambda: replace(BASE, head=replace(BASE.head, dropout=0.3)),
    "no dropout": lambda: replace(BASE, head=replace(BASE.head, dropout=0.0)),
    "block": lambda: with_stage(0, block="fused_mbconv"),
    "width": lambda: with_stage(0, width=32),
    "depth": lambda: with_stage(0, depth=2),
    "stride": lambda: with_stage(0, stride=1),
    "kernel": lambda: with_stage(0, kernel=3),
    "expansion": lambda: with_stage(0, expansion=5),
    "se_ratio": lambda: with_stage(0, se_ratio=0.5),
    "no se": lambda: with_stage(0, se_ratio=0),
    "activation": lambda: with_stage(0, activation="relu"),
    "no fusion": lambda: with_stage(1, fusion=Fusion()),
    "concat without projection": lambda: with_stage(1, fusion=Fusion(type="concat", project=False)),
    "attention": lambda: with_stage(1, fusion=Fusion(type="attention")),
    "learned weight": lambda: with_stage(1, fusion=Fusion(type="weighted_sum")),
    "fixed weight": lambda: with_stage(1, fusion=Fusion(type="weighted_sum", alpha=0.5)),
    "other weight": lambda: with_stage(1, fusion=Fusion(type="weighted_sum", alpha=0.25)),
    "fusion from further back": lambda: with_stage(1, fusion_from=2),
    "one stage less": lambda: replace(BASE, stages=BASE.stages[:2]),
    "order of stages": lambda: replace(BASE, stages=(BASE.stages[1], BASE.stages[0])),
}


def test_different_networks_have_different_ids() -> None:
    ids = {name: make().id for name, make in DIFFERENT.items()}
    ids["the base"] = BASE.id
    assert len(set(ids.values())) == len(ids), ids


def test_id_is_short_and_plain() -> None:
    assert len(BASE.id) == 16
    assert set(BASE.id) <= set("0123456789abcdef")
