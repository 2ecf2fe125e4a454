"""What the README says works."""

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

README = (ROOT / "README.md").read_text()


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, flags=re.DOTALL)


def test_the_python_example_runs(tmp_path: Path) -> None:
    (program,) = blocks("python")
    result = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stderr
    assert (tmp_path / "studies" / "bundle" / "model.onnx").is_file()
    assert (tmp_path / "studies" / "digits" / "report.html").is_file()


def test_the_search_space_is_one() -> None:
    (text,) = blocks("toml")
    assert read_space(text).size > 1000


def test_the_commands_are_understood() -> None:
    lines = " ".join(blocks("sh")).replace("\\\n", " ").splitlines()
    commands = [shlex.split(line, comments=True) for line in lines if "bin/mbnas" in line]
    assert len(commands) >= 3
    for _, *arguments in commands:
        assert _parser(arguments).parse_args(arguments).run


def test_scripts_and_files_are_there() -> None:
    named = set(re.findall(r"\bscripts/\w+|search_spaces/\w+\.toml|docs/\w+\.png", README))
    assert {"scripts/demo", "scripts/test"} <= named
    for name in named:
        assert (ROOT / name).is_file(), name


@pytest.mark.parametrize("target", re.findall(r"\]\((?!https?:)([^)#]+)\)", README))
def test_links_lead_somewhere(target: str) -> None:
    assert (ROOT / target).exists()
