"""Every fault of a space file is told in one line: the place, the value, the mend."""

from __future__ import annotations

import time
import tomllib
from pathlib import Path
from typing import Any

import pytest
from unit.space.faults import FIELDS, HEAD, NETWORK, ONE, TOP_LEVEL

from mbnas.errors import MbnasError, SpaceError
from mbnas.space import load_space, make_space, read_space


def told(text: str) -> str:
    """What is said of a text; the same is said when it is a file, with the file's name before."""
    with pytest.raises(SpaceError) as caught:
        read_space(text)
    assert isinstance(caught.value, ValueError)
    assert isinstance(caught.value, MbnasError)
    message = str(caught.value)
    assert len(message.splitlines()) == 1
    return message


@pytest.mark.parametrize(("text", "expected"), TOP_LEVEL.values(), ids=TOP_LEVEL.keys())
def test_faults_of_the_file(text: str, expected: str) -> None:
    assert told(text).startswith(expected)


@pytest.mark.parametrize(("field", "expected"), FIELDS.values(), ids=FIELDS.keys())
def test_faults_of_a_field(field: str, expected: str) -> None:
    assert told(f"{HEAD}[[stage]]\nwidth = 16\n{field}\n").startswith(f"stage 1, {expected}")


@pytest.mark.parametrize(("field", "expected"), NETWORK.values(), ids=NETWORK.keys())
def test_faults_of_the_network(field: str, expected: str) -> None:
    assert told(f"{field}\n{ONE}").startswith(expected)


def test_faults_of_the_defaults_are_told_there() -> None:
    assert told(HEAD + "[defaults]\nkernel = 4\n" + ONE) == (
        "defaults, kernel = 4: must be odd, such as 3 or 5"
    )
    # Even where every stage says otherwise.
    assert told(HEAD + "[defaults]\nkernel = 4\n" + ONE + "kernel = 3\n") == (
        "defaults, kernel = 4: must be odd, such as 3 or 5"
    )


@pytest.mark.parametrize(
    ("resolution", "strides", "place", "side", "at"),
    [
        ("[8, 64]", ["2", "2", "2"], "stage 3, stride = 2", 1, 8),
        ("64", ["4", "8", "3"], "stage 3, stride = 3", 1, 64),
        ("[64, 8]", ["1", "[1, 2, 4]", "[1, 2]"], "stage 3, stride = 2", 1, 8),
        ("2", ["2", "1"], "stage 1, stride = 2", 1, 2),
        ("32", ["[16, 64]", "1", "[1, 5]"], "stage 1, stride = 64", 16, 32),
        ("[64, 8]", ["[1, 2]", "[2, 3]"], "stage 2, stride = 3", 2, 8),
    ],
)
def test_a_stride_beyond_its_map_at_some_allowed_resolution(
    resolution: str, strides: list[str], place: str, side: int, at: int
) -> None:
    stages = "".join(f"[[stage]]\nwidth = 8\nstride = {stride}\n" for stride in strides)
    assert told(f"resolution = {resolution}\n{stages}") == (
        f"{place}: its map is only {side}×{side} at resolution {at};"
        " lower a stride or raise the resolution"
    )


def test_a_stride_as_large_as_its_map_is_the_largest() -> None:
    text = "resolution = 8\nstem = { width = 8, stride = 1 }\n[[stage]]\nwidth = 8\nstride = "
    assert read_space(text + "[4, 8]").size == 2
    assert told(text + "[8, 16]").startswith("stage 1, stride = 16: its map is only 8×8")


@pytest.mark.parametrize("line", ["resolution = 32", 'name = "x"', "schema = 1", "bn_eps = 1e-3"])
@pytest.mark.parametrize(
    ("heading", "place"),
    [("defaults", "defaults"), ("stem", "stem"), ("head", "head"), ("[stage]", "stage 1")],
)
def test_a_key_of_the_file_under_a_heading_is_told_its_place(
    line: str, heading: str, place: str
) -> None:
    key = line.partition(" ")[0]
    assert told(f"[{heading}]\n{line}\n[[stage]]\nwidth = 8\n") == (
        f'{place}: unknown key "{key}"; it belongs at the top of the file, above the first [table]'
    )


def test_a_stride_in_a_table_on_nothing() -> None:
    tables = '["identity", { type = "mbconv", stride = 2 }]'
    stages = f"[[stage]]\nwidth = 8\nblock = {tables}\n" * 3
    assert told(f"resolution = 8\n{stages}").startswith("stage 3, stride = 2: its map is only 1×1")
    assert read_space(f"resolution = 9\n{stages}").size == 8


def test_a_resolution_in_a_table_counts_as_allowed() -> None:
    text = "width_multiplier = [1, { type = 0.5, resolution = 2 }]\nresolution = 32\n"
    stages = "[[stage]]\nwidth = 8\nstride = 2\n"
    assert told(text + stages).endswith(
        "stage 1, stride = 2: its map is only 1×1 at resolution 2;"
        " lower a stride or raise the resolution"
    )
    assert read_space(text.replace("= 2 }", "= 3 }") + stages).resolutions == (3, 32)


def test_a_stride_that_a_table_always_overrides_is_no_fault() -> None:
    text = 'block = { type = "mbconv", stride = 1 }\nstride = 2\n'
    space = read_space(f"resolution = 2\n[[stage]]\nwidth = 8\n{text}")
    assert space.architecture({}).stages[0].stride == 1


def test_a_map_that_no_fusion_takes_may_be_anywhere() -> None:
    text = 'fusion = ["none", { type = "concat", fusion_from = 1 }]\nfusion_from = 3\n'
    space = read_space(f"resolution = 8\n[[stage]]\nwidth = 8\n{text}")
    for label in space.choices[0].labels:
        assert space.architecture({"stage1.fusion": label}).stages[0].fusion.type in str(label)


BROKEN = {
    "no TOML": "schema = = 1",
    "a word": "resolution",
    "key twice": "resolution = 3\nresolution = 4",
    "open table": HEAD + "[[stage]\nwidth = 3",
    "open list": "resolution = [1, 2",
    "too deep": "resolution = " + "[" * 10_000,
    "a number too long": "resolution = " + "9" * 5000,
    "a key of many parts": "a." * 10_000 + "b = 1",
    "a key of many parts in a table": "resolution = { " + "a." * 10_000 + "b = 1 }",
    "a heading of many parts": "[a" + ".'b'" * 10_000 + "]",
    "a book": "#" * 2**21,
}


@pytest.mark.parametrize("text", BROKEN.values(), ids=BROKEN.keys())
def test_what_is_no_toml(text: str) -> None:
    assert told(text).startswith("not TOML: ")


def test_dots_that_part_no_key_are_let_pass() -> None:
    numbers = ", ".join(f"0.{number}" for number in range(101, 300) if number % 10)
    text = f"# {'.' * 200}\n{HEAD}[[stage]]\nwidth = 8\nse_ratio = [{numbers}]\n"
    assert read_space(text).size > 100


@pytest.mark.parametrize("stages", [2, 5_000])
def test_more_blocks_than_anybody_wants(stages: int) -> None:
    text = (
        HEAD + "[[stage]]\nwidth = 8\ndepth = [1, 1000]\n" + "[[stage]]\nwidth = 8\n" * (stages - 1)
    )
    assert "blocks in all stages together; at most 1,000" in told(text)


def test_more_points_than_can_be_written() -> None:
    widths = ", ".join(map(str, range(1, 100)))
    text = HEAD + f"[[stage]]\nwidth = [{widths}]\n" * 200
    assert told(text) == "200 stages: more than 1e+300 points; leave options out"


def test_hundreds_of_stages_are_read_at_once() -> None:
    text = (
        HEAD
        + "[defaults]\nkernel = 3\nse_ratio = 0.5\nexpansion = 2\n"
        + "[[stage]]\nwidth = 8\n" * 900
    )
    start = time.process_time()
    assert read_space(text).stages == 900
    assert time.process_time() - start < 10


def test_options_that_fix_a_field_of_many_options_are_read_at_once() -> None:
    strides = ", ".join(map(str, range(1, 1_500)))
    blocks = ", ".join(f'{{ type = "mbconv", stride = {at} }}' for at in range(1, 1_500))
    text = f"resolution = 100000\n[[stage]]\nwidth = 8\nstride = [{strides}]\nblock = [{blocks}]\n"
    start = time.process_time()
    assert read_space(text).size == 1_499**2
    assert time.process_time() - start < 10


# ---------------------------------------------------------------------------------------------
# Files


def told_of(path: Path) -> str:
    with pytest.raises(SpaceError) as caught:
        load_space(path)
    message = str(caught.value)
    assert isinstance(caught.value, ValueError)
    assert len(message.splitlines()) == 1
    assert message.startswith(f"{path}: ")
    return message.removeprefix(f"{path}: ")


def test_a_name_too_long_for_a_file() -> None:
    assert told_of(Path("x" * 5000)) == "cannot be read (File name too long)"


def test_a_missing_file(tmp_path: Path) -> None:
    assert told_of(tmp_path / "none.toml") == (
        "no such file; give a TOML file, or a space that comes with mbnas:"
        " cifar_mobile, digits_tiny, efficientnetv2_like, mobile_224, nas_bench_macro"
    )


def test_a_directory(tmp_path: Path) -> None:
    assert told_of(tmp_path) == "not a file; give a search-space file"


def test_broken_toml_in_a_file(tmp_path: Path) -> None:
    path = tmp_path / "broken.toml"
    path.write_text(HEAD + "width = \n")
    assert told_of(path).startswith("not TOML: Invalid value (at line 4, column 9)")


def test_other_encodings(tmp_path: Path) -> None:
    path = tmp_path / "latin.toml"
    path.write_bytes('name = "caf\u00e9"\n'.encode("latin-1"))
    assert told_of(path) == "not UTF-8 (invalid continuation byte at byte 11)"


def test_a_fault_inside_a_file_names_the_file(tmp_path: Path) -> None:
    path = tmp_path / "even.toml"
    path.write_text(HEAD + ONE + "kernel = 4\n")
    assert told_of(path) == "stage 1, kernel = 4: must be odd, such as 3 or 5"


# ---------------------------------------------------------------------------------------------
# Python


@pytest.mark.parametrize(("field", "expected"), FIELDS.values(), ids=FIELDS.keys())
def test_the_same_faults_from_python(field: str, expected: str) -> None:
    with pytest.raises(SpaceError) as caught:
        make_space("x", resolution=32, stages=[{"width": 16, **tomllib.loads(field)}])
    assert str(caught.value).startswith(f"stage 1, {expected}")
    assert len(str(caught.value).splitlines()) == 1


def deep(levels: int) -> list[Any]:
    value: list[Any] = []
    for _ in range(levels):
        value = [value]
    return value


PYTHON: dict[str, tuple[dict[str, Any], str]] = {
    "unknown field": (
        {"resolutoin": 3},
        'the file: unknown key "resolutoin"; did you mean "resolution"?',
    ),
    "no stages": ({"stages": []}, "stage: missing; a space needs at least one [[stage]]"),
    "stages of another type": (
        {"stages": 3},
        "stage = 3: must be tables, each headed [[stage]]",
    ),
    "one stage for a list": (
        {"stages": {"width": 3}},
        "stage = { width = 3 }: must be tables, each headed [[stage]]",
    ),
    "no width": ({"stages": [{}]}, "stage 1: width is missing; say for example"),
    "stem of another type": ({"stem": 8}, "stem = 8: must be a table"),
    "defaults of another type": ({"defaults": "x"}, 'defaults = "x": must be a table'),
    "resolution": ({"resolution": (32, 0)}, "resolution = 0: must be a whole number of at least"),
    "what TOML cannot say": (
        {"stages": [{"width": 16, "kernel": None}]},
        "x: holds what TOML cannot: ",
    ),
    "a range": ({"stages": [{"width": range(8, 32, 8)}]}, "x: holds what TOML cannot: "),
    "keys that are no text": ({"stages": [{"width": 16, 3: 4}]}, "x: holds what TOML cannot: "),
    "endlessly deep": ({"resolution": deep(5000)}, "x: holds what TOML cannot: "),
    "deep": (
        {"resolution": deep(100)},
        "resolution = [[[[[...]]]]]: must be a whole number of at least 1",
    ),
    "beyond any float": (
        {"width_multiplier": 10**400},
        "width_multiplier = 0x",
    ),
}


@pytest.mark.parametrize(("changes", "expected"), PYTHON.values(), ids=PYTHON.keys())
def test_faults_from_python(changes: dict[str, Any], expected: str) -> None:
    given: dict[str, Any] = {"resolution": 32, "stages": [{"width": 16}], **changes}
    with pytest.raises(SpaceError) as caught:
        make_space("x", **given)
    assert str(caught.value).startswith(expected)
    assert len(str(caught.value).splitlines()) == 1
    assert isinstance(caught.value, ValueError)
