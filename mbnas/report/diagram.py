"""A network drawn: one box a stage, with map sizes, fusion arrows and shares of the MACs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from mbnas.network import Architecture, Stage, fields_used, layer_costs
from mbnas.network.primitives import Shape
from mbnas.report.words import escaped, percent

WIDTH = 376
BOX = 272
LEFT = 4
HEIGHT = 46
GAP = 24
LANE = 13
"""Pixels between the arrows of two fusions."""
NAMES = {"mbconv": "MBConv", "fused_mbconv": "Fused-MBConv"}
FUSIONS = {"weighted_sum": "sum"}
"""Blocks and fusions that are called by another name than their field's."""


@dataclass(frozen=True, slots=True)
class Row:
    """One box and the map that leaves it.

    Attributes:
        kind: The block's name, or `plain`.
        title: What it is.
        size: Width × depth; empty where there is no depth.
        details: Its other fields.
        map: Shape of its output in words.
        share: Of the network's MACs, in [0, 1].
        fused_with: How many rows up the map lies that is fused into its output; 0 for none.
        fusion: How it is fused.
    """

    kind: str
    title: str
    size: str
    details: str
    map: str
    share: float
    fused_with: int = 0
    fusion: str = ""


def rows(architecture: Architecture, classes: int) -> list[Row]:
    """The network's boxes from the stem to the head."""
    layers = layer_costs(architecture.lower(classes))
    total = sum(layer.macs for layer in layers) or 1
    own: dict[str, int] = {}
    shapes: dict[str, Shape] = {}
    for layer in layers:
        part = layer.name.partition(".")[0]
        own[part] = own.get(part, 0) + layer.macs
        shapes[part] = layer.shape
    stem, head = architecture.stem, architecture.head
    leaves = shapes["stem"]
    found = [
        Row(
            "plain",
            f"stem · 3×3 convolution{_stride(stem.stride)}",
            str(leaves[0]),
            stem.activation,
            _map(leaves),
            own["stem"] / total,
        )
    ]
    for at, stage in enumerate(architecture.stages, start=1):
        leaves = shapes.get(f"stage{at}", leaves)  # an identity leaves no layer
        fused = stage.fusion.type != "none"
        found.append(
            Row(
                stage.block,
                f"{at} · {_name(NAMES, stage.block)}{_stride(stage.stride)}",
                f"{leaves[0]} × {stage.depth}",
                _details(stage),
                _map(leaves),
                own.get(f"stage{at}", 0) / total,
                stage.fusion_from if fused else 0,
                _name(FUSIONS, stage.fusion.type) if fused else "",
            )
        )
    convolved = next((one.shape[0] for one in layers if one.name == "head.features.conv"), 0)
    words = [f"1×1 to {convolved}"] if head.width else []
    words += [f"hidden {head.hidden}"] if head.hidden else []
    words += [f"dropout {head.dropout:g}"] if head.dropout else []
    share = own["head"] / total
    details = " · ".join([*words, "pooled"])
    found.append(Row("plain", "head", "", details, f"{classes} logits", share))
    return found


def diagram(architecture: Architecture, classes: int) -> str:
    """The network as an SVG element, in the colours of the page that it stands in."""
    found = rows(architecture, classes)
    height = GAP + len(found) * (HEIGHT + GAP)
    spoken = f"{architecture.resolution} pixels; " + "; ".join(
        f"{row.title} {row.size} {row.details}" for row in found
    )
    image = f"image 3 × {architecture.resolution}×{architecture.resolution}"
    parts = [_text(LEFT + BOX / 2, GAP - 9, image, "note", "middle")]
    for at, row in enumerate(found):
        parts.append(_box(row, GAP + at * (HEIGHT + GAP)))
    parts += _arrows(found)
    return (
        f'<svg class="diagram" viewBox="0 0 {WIDTH} {height}" role="img"'
        f' aria-label="{escaped(spoken)}">{"".join(parts)}</svg>'
    )


def _box(row: Row, top: float) -> str:
    bottom = top + HEIGHT
    middle = LEFT + BOX / 2
    bar = (
        f'<rect class="share" x="{LEFT}" y="{bottom - 3}" width="{max(1.0, row.share * BOX):.1f}"'
        f' height="3"><title>{percent(row.share)} of the MACs</title></rect>'
    )
    return "".join(
        [
            f'<g class="{row.kind}"><rect class="box" x="{LEFT}" y="{top}" width="{BOX}"'
            f' height="{HEIGHT}" rx="5"/>',
            _text(LEFT + 10, top + 18, row.title, "title"),
            _text(LEFT + BOX - 10, top + 18, row.size, "title", "end"),
            _text(LEFT + 10, top + 35, row.details, "note"),
            _text(LEFT + BOX - 10, top + 35, f"{row.share:.0%}", "note", "end"),
            bar,
            "</g>",
            f'<path class="flow" d="M{middle} {bottom}v{GAP - 1}"/>',
            _text(middle + 7, bottom + 16, row.map, "note"),
        ]
    )


def _arrows(found: list[Row]) -> Iterator[str]:
    """From the map that is fused to the map that it is fused into, each in a lane of its own."""
    ends: list[float] = []
    for at, row in enumerate(found):
        if not row.fused_with:
            continue
        start = GAP + (at - row.fused_with) * (HEIGHT + GAP) + HEIGHT + 4
        end = GAP + at * (HEIGHT + GAP) + HEIGHT + 11
        lane = next((lane for lane, last in enumerate(ends) if last < start), len(ends))
        ends[lane : lane + 1] = [end]
        x = LEFT + BOX + LANE * (lane + 1)
        middle = LEFT + BOX / 2
        yield f'<path class="fusion" d="M{middle} {start}H{x}V{end}H{middle + 90}"/>'
        yield f'<path class="tip" d="M{middle + 84} {end}l8 -4v8z"/>'
        yield _text(x + 4, end - 5, row.fusion, "note")


def _text(x: float, y: float, words: str, kind: str, anchor: str = "start") -> str:
    return f'<text class="{kind}" x="{x}" y="{y}" text-anchor="{anchor}">{escaped(words)}</text>'


def _details(stage: Stage) -> str:
    """The fields that change its blocks."""
    words = {
        "kernel": f"{stage.kernel}×{stage.kernel}",
        "expansion": f"expansion {stage.expansion:g}",
        "se_ratio": f"SE {stage.se_ratio:g}" if stage.se_ratio else "",
        "activation": stage.activation,
    }
    used = fields_used(stage.block)
    return " · ".join(said for field, said in words.items() if field in used and said)


def _name(names: dict[str, str], name: str) -> str:
    return names.get(name, name.replace("_", " "))


def _stride(stride: int) -> str:
    return f", stride {stride}" if stride > 1 else ""


def _map(shape: Shape) -> str:
    """`24 × 16×16`."""
    return f"{shape[0]} × {'×'.join(str(side) for side in shape[1:])}"
