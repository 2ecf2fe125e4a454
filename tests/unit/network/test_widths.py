"""Rounding of widths."""

from __future__ import annotations

import pytest

from mbnas.network import Architecture, Head, Stage, Stem
from mbnas.network.widths import WidthRule, divisible


def conv_widths(architecture: Architecture) -> dict[str, int]:
    """Output channels of each convolution, by the name before `.conv`."""
    return {
        node.name.removesuffix(".conv"): node.shape[0]
        for node in architecture.lower().nodes
        if node.name.endswith(".conv")
    }


@pytest.mark.parametrize(("round_hidden", "hidden"), [(True, 64), (False, 60)])
@pytest.mark.parametrize(
    ("block", "layer"), [("mbconv", "expand"), ("mbconv", "depthwise"), ("fused_mbconv", "fused")]
)
def test_hidden_widths_are_rounded_where_the_network_says_so(
    round_hidden: bool, hidden: int, block: str, layer: str
) -> None:
    architecture = Architecture(
        resolution=8,
        stem=Stem(width=20),
        stages=(Stage(block=block, width=20, expansion=3),),
        round_hidden=round_hidden,
    )
    assert conv_widths(architecture)[f"stage1.block1.{layer}"] == hidden


def test_fractional_expansion_rounds_to_the_nearest_width() -> None:
    rule = WidthRule(1.0, 8, round_hidden=False)
    assert rule.hidden(10, 2.5) == 25
    assert rule.hidden(10, 1.26) == 13
    assert rule.hidden(1, 1.2) == 1


@pytest.mark.parametrize("divisor", [1, 4, 8, 16])
def test_never_below_ninety_percent_and_always_divisible(divisor: int) -> None:
    for tenths in range(1, 6000):
        width = tenths / 10
        rounded = divisible(width, divisor)
        assert rounded % divisor == 0
        assert rounded >= divisor
        assert rounded >= 0.9 * width
        # As near as that allows: a step less would be too small, or no nearer.
        step_less = rounded - divisor
        assert step_less < divisor or step_less < 0.9 * width or width - step_less >= divisor / 2


@pytest.mark.parametrize(
    ("width", "rounded"), [(11.2, 16), (8.4, 8), (12, 16), (33.6, 32), (22.4, 24), (1, 8), (19, 24)]
)
def test_published_roundings(width: float, rounded: int) -> None:
    assert divisible(width, 8) == rounded


def test_multiplier_reaches_stem_and_stages() -> None:
    architecture = Architecture(
        resolution=32,
        stem=Stem(width=32),
        stages=(Stage(width=24, expansion=6), Stage(width=96)),
        head=Head(width=100),
        width_multiplier=0.35,
    )
    widths = conv_widths(architecture)
    assert widths["stem"] == 16  # 11.2 → 8 would be below 90 %
    assert widths["stage1.block1.expand"] == 6 * 16
    assert widths["stage1.block1.project"] == 8
    assert widths["stage2.block1.project"] == 32
    assert widths["head.features"] == 100


def test_widths_stay_as_written_without_a_multiplier() -> None:
    architecture = Architecture(
        resolution=32, stem=Stem(width=13), stages=(Stage(width=21),), head=Head(width=101)
    )
    widths = conv_widths(architecture)
    assert widths["stem"] == 13
    assert widths["stage1.block1.project"] == 21
    assert widths["head.features"] == 101


def test_divisor_is_a_field() -> None:
    architecture = Architecture(
        resolution=32,
        stem=Stem(width=32),
        stages=(Stage(width=42),),
        width_multiplier=0.5,
        divisor=4,
    )
    assert conv_widths(architecture)["stage1.block1.project"] == 20
