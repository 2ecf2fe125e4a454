"""What docs/adding.md says suffices for a new block, fusion and field does so."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from helpers import ROOT

MOST_LINES = 60
SPACE = """
schema = 1
name = "added"
resolution = 16
stem = { width = 8, stride = 1 }

[[stage]]
block = ["basic", "mbconv"]
width = 8
expansion = [2, 3]
shortcut = [true, false]

[[stage]]
block = "basic"
width = 12
stride = 2
fusion = ["gate", "none"]
"""
PROGRAM = """
from pathlib import Path

import mbnas
from mbnas.report.diagram import diagram
from mbnas.space import read_space

assert Path(mbnas.__file__).is_relative_to(Path.cwd()), mbnas.__file__
space = read_space(Path("space.toml").read_text())
names = [choice.name.removeprefix("stage1.") for choice in space.choices]
assert names == ["block", "expansion", "shortcut", "stage2.fusion"], names


def network(*options):
    return space.architecture(dict(zip([one.name for one in space.choices], options)))


added = network("basic", 2.0, True, "gate")
assert mbnas.Architecture.from_json(added.to_json()) == added
module = mbnas.build(added, classes=10)
learned = {name: value.numel() for name, value in module.named_parameters()}
assert mbnas.costs(added.lower(10)).params == sum(learned.values())
# Two 3×3 convolutions with their norms, on 8 channels, and no more.
assert sum(learned[name] for name in learned if name.startswith("stage1")) == 2 * (9 * 64 + 16)
# What the block does not use makes no other network; what another block does use does.
assert network("basic", 3.0, False, "gate").id == added.id
assert network("mbconv", 2.0, True, "gate").id != network("mbconv", 2.0, False, "gate").id
drawn = diagram(added, 10)
assert "1 · basic" in drawn and ">gate<" in drawn and "expansion" not in drawn

search = mbnas.Search(
    space,
    mbnas.load_data("digits", subset=300),
    recipe=mbnas.Recipe(epochs=1),
    start={"added": added},
    study="study",
)
mbnas.export(search.run(trials=1), "bundle", pick="accuracy")
"""


def apply(text: str, hunk: str) -> str:
    """A file's text with the part that a hunk's unchanged and removed lines name replaced."""
    lines = hunk.splitlines()
    old = "".join(f"{line[1:]}\n" for line in lines if not line.startswith("+"))
    new = "".join(f"{line[1:]}\n" for line in lines if not line.startswith("-"))
    assert text.count(old) == 1, hunk
    return text.replace(old, new)


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of mbnas with the page's examples in it."""
    folder = tmp_path_factory.mktemp("added")
    for part in ("mbnas", "search_spaces"):
        shutil.copytree(ROOT / part, folder / part, ignore=shutil.ignore_patterns("__pycache__"))
    for diff in diffs():
        for file, hunks in re.findall(r"--- (\S+)\n(.*?)(?=--- |\Z)", diff, flags=re.DOTALL):
            path = folder / file
            for hunk in hunks.split("@@\n")[1:]:
                path.write_text(apply(path.read_text(), hunk))
    return folder


def diffs() -> list[str]:
    page = (ROOT / "docs" / "adding.md").read_text()
    return re.findall(r"```diff\n(.*?)```", page, flags=re.DOTALL)


def test_each_is_short_and_touches_the_networks_alone() -> None:
    assert len(diffs()) == 3
    for diff in diffs():
        assert all(file.startswith("mbnas/network/") for file in re.findall(r"--- (\S+)", diff))
        assert len(re.findall(r"^[+-](?!--)", diff, flags=re.MULTILINE)) < MOST_LINES


def test_costs_module_files_and_drawing_follow_by_themselves(package: Path) -> None:
    (package / "space.toml").write_text(SPACE)
    (package / "program.py").write_text(PROGRAM)
    result = subprocess.run(
        [sys.executable, "program.py"],
        cwd=package,
        env={**os.environ, "PYTHONPATH": str(package)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    written = (package / "bundle" / "model.py").read_text()
    assert "self.second(y) + self.shortcut(x)" in written


def test_what_is_added_is_in_good_form(package: Path) -> None:
    """Ruff and mypy, as on any change."""
    ruff, mypy = (Path(sys.executable).with_name(name) for name in ("ruff", "mypy"))
    shutil.copy(ROOT / "pyproject.toml", package)
    for command in (
        [ruff, "check", "mbnas/network"],
        [ruff, "format", "--check", "mbnas/network"],
        [mypy, "-p", "mbnas.network"],
    ):
        result = subprocess.run(
            list(map(str, command)), cwd=package, capture_output=True, text=True, check=False
        )
        assert result.returncode == 0, result.stdout + result.stderr
