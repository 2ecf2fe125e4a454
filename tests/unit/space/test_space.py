"""Points of a space: size, labels, architectures, samples, neighbours."""

from __future__ import annotations

import os
import random
import re
from collections import Counter
from pathlib import Path

import pytest

from mbnas.errors import SpaceError
from mbnas.network import Architecture, Fusion, Head, Stage, Stem, costs
from mbnas.space import Option, SearchSpace, find_space, load_space, make_space, read_space

TEXT = """
schema = 1
name = "small"
resolution = [24, 32]
width_multiplier = 0.5
bn_eps = 1e-3
round_hidden = [false, true]
stem = { width = [16, 24], stride = 1 }
head = { width = 256, dropout = 0.2 }

[defaults]
kernel = [3, 5]
activation = "silu"

[[stage]]
width = 24
depth = [1, 2, 3]

[[stage]]
block = ["identity", { type = "mbconv", expansion = 3, kernel = 7 }, "fused_mbconv"]
width = [40, 48]
kernel = 5
stride = 2
fusion = ["none", { type = "weighted_sum", alpha = 0.5 }, { type = "concat", project = false }]
fusion_from = 2
"""


@pytest.fixture
def space() -> SearchSpace:
    return read_space(TEXT)


POINT = {
    "resolution": 24,
    "round_hidden": True,
    "stem.width": 16,
    "stage1.depth": 3,
    "stage1.kernel": 5,
    "stage2.block": "mbconv(kernel=7, expansion=3)",
    "stage2.width": 48,
    "stage2.fusion": "weighted_sum(0.5)",
}


def test_choices_are_flat_and_in_order(space: SearchSpace) -> None:
    labels = {choice.name: choice.labels for choice in space.choices}
    assert labels == {
        "resolution": (24, 32),
        "round_hidden": (False, True),
        "stem.width": (16, 24),
        "stage1.kernel": (3, 5),
        "stage1.depth": (1, 2, 3),
        "stage2.block": ("identity", "mbconv(kernel=7, expansion=3)", "fused_mbconv"),
        "stage2.width": (40, 48),
        "stage2.fusion": ("none", "weighted_sum(0.5)", "concat(project=false)"),
    }
    assert list(labels) == list(POINT)
    assert space.size == 2 * 2 * 2 * 2 * 3 * 3 * 2 * 3
    assert space.resolutions == (24, 32)
    assert space.name == "small"
    assert space.stages == 2
    assert space.toml == TEXT


def test_the_order_of_keys_says_nothing(space: SearchSpace) -> None:
    lines = [
        'width = [40, 48]', "kernel = 5", "stride = 2", "fusion_from = 2",
    ]  # fmt: skip
    other = TEXT
    for line in lines:  # each moved to the end of the file, which is the second stage's
        before, _, after = other.rpartition(f"{line}\n")
        other = f"{before}{after}{line}\n"
    assert other != TEXT
    assert read_space(other) == space
    assert read_space(other).sample(random.Random(3)) == space.sample(random.Random(3))


def test_a_point_is_an_architecture(space: SearchSpace) -> None:
    assert space.architecture(POINT) == Architecture(
        resolution=24,
        stem=Stem(width=16, stride=1),
        stages=(
            Stage(width=24, depth=3, kernel=5, activation="silu"),
            Stage(
                block="mbconv",
                width=48,
                expansion=3,
                kernel=7,  # the option stands above the stage's own kernel
                stride=2,
                activation="silu",
                fusion=Fusion(type="weighted_sum", alpha=0.5),
                fusion_from=2,
            ),
        ),
        head=Head(width=256, dropout=0.2),
        width_multiplier=0.5,
        bn_eps=1e-3,
        round_hidden=True,
    )


def test_options_of_other_blocks_keep_the_stages_own_fields(space: SearchSpace) -> None:
    fused = space.architecture({**POINT, "stage2.block": "fused_mbconv"}).stages[1]
    assert (fused.kernel, fused.expansion) == (5, 6)


def test_defaults_are_inherited_and_overridden() -> None:
    made = make_space(
        "x",
        resolution=32,
        defaults={"width": 8, "activation": "relu", "kernel": 5},
        stages=[{}, {"width": [16, 24], "kernel": 3}],
    )
    first, second = made.architecture({"stage2.width": 24}).stages
    assert first == Stage(width=8, activation="relu", kernel=5)
    assert second == Stage(width=24, activation="relu", kernel=3)


def test_a_list_of_one_is_fixed() -> None:
    made = make_space("x", resolution=[32], stages=[{"width": [16]}])
    assert made.choices == ()
    assert made.size == 1
    assert made.sample(random.Random(0)) == {}
    assert list(made.neighbours({})) == []
    assert made.architecture({}).stages[0].width == 16


def test_labels_are_plain_values() -> None:
    made = make_space(
        "x",
        resolution=32,
        bn_eps=[1e-5, 1e-3],
        stages=[{"width": 8, "expansion": [1, 2.0, 2.5], "se_ratio": [0.0, 0.25]}],
    )
    labels = {choice.name: choice.labels for choice in made.choices}
    assert labels["stage1.expansion"] == (1, 2, 2.5)
    assert [type(label) for label in labels["stage1.expansion"]] == [int, int, float]
    assert labels["stage1.se_ratio"] == (0, 0.25)
    assert labels["bn_eps"] == (1e-5, 1e-3)
    option = made.choices[1].option(2.0)
    assert option == Option(2, 2.0)


def test_nearby_weights_are_two_options() -> None:
    weights = [0.12345678, 0.12345679]
    made = make_space(
        "x",
        resolution=8,
        stages=[{"width": 8, "fusion": [{"type": "weighted_sum", "alpha": w} for w in weights]}],
    )
    assert made.size == 2
    ids = {made.architecture({"stage1.fusion": label}).id for label in made.choices[0].labels}
    assert len(ids) == 2


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"stage1.kernel": 7}, "stage1.kernel = 7: not an option; options: 3, 5"),
        (
            {"stage2.fusion": "weighted_sum(0.6)"},
            'stage2.fusion = "weighted_sum(0.6)": not an option; did you mean "weighted_sum(0.5)"?;'
            ' options: "none", "weighted_sum(0.5)", "concat(project=false)"',
        ),
        (
            {"stage1.kernal": 3},
            '"stage1.kernal": no choice of space small; did you mean "stage1.kernel"?',
        ),
        ({"stage2.kernel": 5}, '"stage2.kernel": no choice of space small'),  # it is fixed
    ],
)
def test_points_that_are_not_there(
    space: SearchSpace, change: dict[str, object], message: str
) -> None:
    with pytest.raises(SpaceError) as caught:
        space.architecture({**POINT, **change})  # type: ignore[dict-item]
    assert str(caught.value).startswith(message)
    assert len(str(caught.value).splitlines()) == 1


def test_a_choice_left_open(space: SearchSpace) -> None:
    point = {name: label for name, label in POINT.items() if name != "stage1.depth"}
    with pytest.raises(SpaceError, match=r"^stage1\.depth: no option chosen$"):
        space.architecture(point)


def test_samples_reach_every_option_about_equally(space: SearchSpace) -> None:
    rng = random.Random(0)
    counts = Counter(item for _ in range(3000) for item in space.sample(rng).items())
    for choice in space.choices:
        for label in choice.labels:
            expected = 3000 / len(choice.labels)
            assert abs(counts[choice.name, label] - expected) < 0.12 * expected


def test_samples_follow_the_seed(space: SearchSpace) -> None:
    def samples(seed: int) -> list[object]:
        rng = random.Random(seed)
        return [space.sample(rng) for _ in range(5)]

    assert samples(1) == samples(1)
    assert samples(1) != samples(2)


def test_neighbours(space: SearchSpace) -> None:
    neighbours = list(space.neighbours(POINT))
    assert len(neighbours) == sum(len(choice.options) - 1 for choice in space.choices) == 11
    assert all(len(neighbour.items() - POINT.items()) == 1 for neighbour in neighbours)
    assert len({tuple(neighbour.items()) for neighbour in neighbours}) == 11
    for neighbour in neighbours:
        space.architecture(neighbour)


def test_the_same_space_from_python(space: SearchSpace) -> None:
    made = make_space(
        "small",
        resolution=(24, 32),
        width_multiplier=0.5,
        bn_eps=1e-3,
        round_hidden=[False, True],
        stem={"width": [16, 24], "stride": 1},
        head={"width": 256, "dropout": 0.2},
        defaults={"kernel": (3, 5), "activation": "silu"},
        stages=(
            {"width": 24, "depth": [1, 2, 3]},
            {
                "block": [
                    "identity",
                    {"type": "mbconv", "expansion": 3, "kernel": 7},
                    "fused_mbconv",
                ],
                "width": [40, 48],
                "kernel": 5,
                "stride": 2,
                "fusion": [
                    "none",
                    {"type": "weighted_sum", "alpha": 0.5},
                    {"type": "concat", "project": False},
                ],
                "fusion_from": 2,
            },
        ),
    )
    assert made == space
    assert read_space(made.toml) == space


# ---------------------------------------------------------------------------------------------
# Files


SHIPPED = {
    "cifar_mobile": 6_687_075_336_192,
    "digits_tiny": 294_912,
    "efficientnetv2_like": 31_850_496,
    "mobile_224": 97_844_723_712,
    "nas_bench_macro": 6561,
}


@pytest.mark.parametrize("name", SHIPPED)
def test_shipped_spaces(name: str) -> None:
    shipped = load_space(name)
    path = Path(__file__).parents[3] / "search_spaces" / f"{name}.toml"
    assert shipped == load_space(path) == load_space(str(path))
    assert shipped.toml == path.read_text(encoding="utf-8")
    assert shipped.size == SHIPPED[name]
    assert find_space(name) == find_space(path)
    rng = random.Random(0)
    ids = {shipped.architecture(shipped.sample(rng)).id for _ in range(30)}
    assert len(ids) > 25
    assert Path(path).stem.replace("_", "-") == shipped.name


@pytest.mark.parametrize("name", SHIPPED)
def test_a_shipped_space_says_what_it_is_for_and_how_large(name: str) -> None:
    said = load_space(name).toml.partition("schema")[0]
    comment = " ".join(line.removeprefix("#").strip() for line in said.splitlines())
    size = SHIPPED[name]
    short = f"{size:.1e}".replace("e+0", "e").replace("e+", "e")
    assert f"{size:,} points" in comment or f"{short} points" in comment
    assert len(comment) > 80
    shares = re.findall(r"(half|nine in ten)[^,.]*? below ([0-9,]+) million", comment)
    rng = random.Random(0)
    space = load_space(name)
    macs = [costs(space.architecture(space.sample(rng)).lower()).macs / 1e6 for _ in range(300)]
    for share, most in shares:
        below = sum(one < float(most.replace(",", "")) for one in macs) / len(macs)
        assert below == pytest.approx(0.5 if share == "half" else 0.9, abs=0.08)


def test_every_shipped_file_is_known_here() -> None:
    folder = Path(__file__).parents[3] / "search_spaces"
    assert {file.stem for file in folder.glob("*.toml")} == set(SHIPPED)


def test_a_file_beside_wins_over_a_shipped_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert load_space("digits_tiny").name == "digits-tiny"
    Path("digits_tiny").write_text('name = "mine"\nresolution = 8\n[[stage]]\nwidth = 8\n')
    assert load_space("digits_tiny").name == "mine"


@pytest.mark.skipif(os.name == "nt", reason="writes line ends by itself")
def test_windows_line_ends_and_exact_bytes(tmp_path: Path) -> None:
    path = tmp_path / "space.toml"
    path.write_bytes(TEXT.replace("\n", "\r\n").encode())
    loaded = load_space(path)
    assert loaded == read_space(TEXT)
    assert loaded.toml.encode() == path.read_bytes()


def test_a_byte_order_mark_is_kept_and_not_read(tmp_path: Path) -> None:
    path = tmp_path / "notepad.toml"
    path.write_bytes(TEXT.encode("utf-8-sig"))
    loaded = load_space(path)
    assert loaded == read_space(TEXT)
    assert loaded.toml.encode() == path.read_bytes()
    assert read_space(loaded.toml) == loaded
    path.write_bytes(b"\xef\xbb\xbf" + TEXT.encode("utf-8-sig"))
    with pytest.raises(SpaceError, match="not TOML"):
        load_space(path)
