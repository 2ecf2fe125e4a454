"""Everything that an architecture may be told, and small networks that are told it."""

from __future__ import annotations

from typing import Any

from mbnas.network import Architecture, Fusion, Head, Stage, Stem

BLOCKS = ["mbconv", "fused_mbconv", "depthwise_separable", "identity"]
SE_RATIOS = [0.0, 0.25]
ACTIVATIONS = ["relu", "relu6", "hardswish", "silu"]
FUSIONS = [
    Fusion(),
    Fusion(type="concat"),
    Fusion(type="concat", project=False),
    Fusion(type="weighted_sum"),
    Fusion(type="weighted_sum", alpha=0.4),
    Fusion(type="attention"),
]
FUSIONS_FROM = [1, 2]
RESOLUTIONS = [16, 17]  # maps of 8, 4, 4 and of 9, 5, 5

OPTIONS: dict[str, list[Any]] = {
    "fusion": FUSIONS,
    "block": BLOCKS,
    "activation": ACTIVATIONS,
    "se_ratio": SE_RATIOS,
    "fusion_from": FUSIONS_FROM,
    "resolution": RESOLUTIONS,
    "kernel": [3, 5],
    "expansion": [1, 1.7, 4],
    "depth": [1, 2],
    "stride": [1, 2],
    "width": [16, 24],
    "stem_stride": [1, 2],
    "stem_activation": ACTIVATIONS,
    "head_width": [0, 32],
    "head_hidden": [0, 24],
    "head_activation": ACTIVATIONS,
    "dropout": [0.0, 0.2],
    "width_multiplier": [1.0, 1.3],
    "round_hidden": [False, True],
    "bn_eps": [1e-5, 1e-3],
}


def network_of(
    *,
    resolution: int,
    stem_stride: int = 1,
    stem_activation: str = "relu6",
    head_width: int = 0,
    head_hidden: int = 0,
    head_activation: str = "relu6",
    dropout: float = 0.0,
    width_multiplier: float = 1.0,
    round_hidden: bool = False,
    bn_eps: float = 1e-5,
    **stage: Any,
) -> Architecture:
    """A stage like any other, the stage that is told the options, and one that reads its output."""
    return Architecture(
        resolution=resolution,
        stem=Stem(width=12, stride=stem_stride, activation=stem_activation),
        stages=(
            Stage(width=16, stride=2, expansion=2, activation="hardswish"),
            Stage(**stage),
            Stage(width=20, expansion=2, activation="hardswish"),
        ),
        head=Head(
            width=head_width, hidden=head_hidden, activation=head_activation, dropout=dropout
        ),
        width_multiplier=width_multiplier,
        round_hidden=round_hidden,
        bn_eps=bn_eps,
    )
