"""What the README and the pages under docs/ say works."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from helpers import ROOT

from mbnas.cli import _parser
from mbnas.space import read_space

README = ROOT / "README.md"
PAGES = [README, *sorted((ROOT / "docs").glob("*.md"))]


def blocks(page: Path, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", page.read_text(), flags=re.DOTALL)


def run_python(program: str, folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", program], cwd=folder, capture_output=True, text=True, check=False
    )


def test_the_python_example_of_the_readme_runs(tmp_path: Path) -> None:
    (program,) = blocks(README, "python")
    result = run_python(program, tmp_path)
    assert result.returncode == 0, result.stderr
    assert (tmp_path / "studies" / "bundle" / "model.onnx").is_file()
    assert (tmp_path / "studies" / "digits" / "report.html").is_file()


@pytest.mark.parametrize("page", PAGES[1:], ids=lambda page: page.name)
def test_the_python_examples_of_the_docs_run(page: Path, tmp_path: Path) -> None:
    for program in blocks(page, "python"):
        result = run_python(program, tmp_path)
        assert result.returncode == 0, result.stderr


def test_the_search_space_is_one() -> None:
    (text,) = blocks(README, "toml")
    assert read_space(text).size > 1000


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_the_commands_are_understood(page: Path) -> None:
    lines = " ".join(blocks(page, "sh")).replace("\\\n", " ").splitlines()
    commands = [shlex.split(line, comments=True) for line in lines if "mbnas " in line]
    assert len(commands) >= 2
    for command, *arguments in commands:
        assert command.endswith("mbnas")
        assert _parser(arguments).parse_args(arguments).run


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_scripts_and_files_are_there(page: Path) -> None:
    pattern = r"\bscripts/\w+(?:\.py)?|search_spaces/\w+\.toml|docs/\w+\.png"
    named = set(re.findall(pattern, page.read_text()))
    if page == README:
        assert {"scripts/demo", "scripts/test"} <= named
    for name in named:
        assert (ROOT / name).is_file(), name


@pytest.mark.parametrize(
    ("page", "target"),
    [
        (page, target)
        for page in PAGES
        for target in re.findall(r"\]\((?!https?:)([^)#]+)\)", page.read_text())
    ],
)
def test_links_lead_somewhere(page: Path, target: str) -> None:
    assert (page.parent / target).exists()
