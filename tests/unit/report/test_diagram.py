"""A network drawn as boxes and arrows."""

from __future__ import annotations

import random
import re
from xml.etree import ElementTree

import pytest

from mbnas.network import Architecture, Fusion, Stage, Stem, reference
from mbnas.report.diagram import diagram, rows
from mbnas.space import load_space

FUSED = Architecture(
    resolution=33,
    stem=Stem(width=16, stride=2),
    stages=(
        Stage(block="fused_mbconv", width=24, depth=2),
        Stage(block="identity", width=24),
        Stage(width=40, depth=3, stride=2, se_ratio=0.25, kernel=5, fusion=Fusion("concat"),
              fusion_from=2),
        Stage(block="depthwise_separable", width=48, fusion=Fusion("attention")),
    ),
)  # fmt: skip


def test_one_box_for_the_stem_each_stage_and_the_head() -> None:
    found = rows(FUSED, 10)
    assert [row.kind for row in found] == [
        "plain", "fused_mbconv", "identity", "mbconv", "depthwise_separable", "plain",
    ]  # fmt: skip
    assert [row.map for row in found] == [
        "16 × 17×17", "24 × 17×17", "24 × 17×17", "40 × 9×9", "48 × 9×9", "10 logits",
    ]  # fmt: skip
    assert found[3].title == "3 · MBConv, stride 2"
    assert found[3].size == "40 × 3"
    assert found[3].details.startswith("5×5 · expansion ")
    assert "SE 0.25" in found[3].details
    assert found[2].details == ""
    assert found[4].title == "4 · depthwise separable"
    assert found[4].details == "3×3 · relu6"
    assert (found[3].fusion, found[3].fused_with) == ("concat", 2)
    assert found[2].share == 0


@pytest.mark.parametrize("seed", range(6))
def test_the_shares_are_all_of_the_macs(seed: int) -> None:
    space = load_space("cifar_mobile")
    network = space.architecture(space.sample(random.Random(seed)))
    assert sum(row.share for row in rows(network, 10)) == pytest.approx(1)


def test_an_arrow_leads_from_the_map_that_is_fused_to_the_stage_it_enters() -> None:
    drawn = diagram(FUSED, 10)
    arrows = re.findall(r'class="fusion" d="M[\d.]+ ([\d.]+)H([\d.]+)V([\d.]+)', drawn)
    boxes = [float(top) for top in re.findall(r'class="box" x="4" y="([\d.]+)"', drawn)]
    (concat, attention) = [tuple(map(float, one)) for one in arrows]
    # Stage 3 takes what entered stage 2, stage 1's output; stage 4 what entered it, stage 3's.
    for (start, _, end), source, target in ((concat, 1, 3), (attention, 3, 4)):
        assert boxes[source] < start < boxes[source + 1]
        assert boxes[target] < end < boxes[target + 1]
        assert end > start
    assert concat[1] != attention[1], "arrows that overlap have lanes of their own"


def test_it_is_well_formed_and_spoken() -> None:
    for network in (FUSED, reference("efficientnet_b0"), reference("mobilenet_v1")):
        picture = ElementTree.fromstring(diagram(network, 1000))
        assert picture.get("role") == "img"
        assert "stem" in (picture.get("aria-label") or "")
        assert len(picture.findall("g")) == len(network.stages) + 2
