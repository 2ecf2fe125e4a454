"""What the README and the pages under docs/ say works."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from helpers import ROOT

from mbnas.cli import _parser
from mbnas.space import read_space
from mbnas.training.recipe_file import load_recipe

README = ROOT / "README.md"
DOCS = sorted((ROOT / "docs").glob("*.md"))
PAGES = [README, ROOT / "CONTRIBUTING.md", *DOCS]
BIN = Path(sys.executable).parent
TRIED = {"python", "sh", "bash", "toml", "diff"}  # diffs in test_adding.py
every_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)


def blocks(page: Path, *languages: str) -> list[str]:
    found = re.findall(r"^```(\w*)\n(.*?)^```", page.read_text(), flags=re.DOTALL | re.MULTILINE)
    return [text for language, text in found if language in languages]


def assert_runs(command: list[str], folder: Path) -> str:
    environment = {**os.environ, "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}"}
    result = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stderr
    return result.stdout


def commands(text: str) -> list[list[str]]:
    """The commands of a block, without comments."""
    lines = text.replace("\\\n", " ").splitlines()
    return [words for line in lines if (words := shlex.split(line, comments=True))]


@every_page
def test_every_block_is_of_a_kind_that_is_tried_or_a_picture(page: Path) -> None:
    languages = re.findall(r"^```(\w*)\n.*?^```", page.read_text(), flags=re.DOTALL | re.MULTILINE)
    assert set(languages) <= {*TRIED, "text"}


def test_the_python_example_of_the_readme_runs(tmp_path: Path) -> None:
    (program,) = blocks(README, "python")
    assert_runs([sys.executable, "-c", program], tmp_path)
    assert (tmp_path / "studies" / "bundle" / "model.onnx").is_file()
    assert (tmp_path / "studies" / "from-python" / "report.html").is_file()


@pytest.mark.parametrize("page", DOCS, ids=lambda page: page.name)
def test_the_python_examples_of_the_docs_run(page: Path, tmp_path: Path) -> None:
    for program in blocks(page, "python"):
        assert_runs([sys.executable, "-c", program], tmp_path)


@every_page
def test_toml_is_a_space_or_a_recipe(page: Path, tmp_path: Path) -> None:
    for text in blocks(page, "toml"):
        if "recipe" in tomllib.loads(text):
            (tmp_path / "recipe.toml").write_text(text)
            assert load_recipe(tmp_path / "recipe.toml")
        else:
            assert read_space(text).size > 1000


@every_page
def test_the_commands_are_understood(page: Path) -> None:
    for command in commands("".join(blocks(page, "sh", "bash"))):
        words = [word for word in command if "=" not in word] if "=" in command[0] else command
        words = words[1:] if words[0] == "exec" else words
        if Path(words[0]).name == "mbnas":
            assert _parser(words[1:]).parse_args(words[1:]).verb


def test_the_steps_of_the_first_page_are_taken_to_the_letter(tmp_path: Path) -> None:
    _, steps, use = blocks(ROOT / "docs" / "start.md", "sh")
    said = [assert_runs(command, tmp_path) for command in commands(steps + use)]
    assert said[-1].startswith("seven.png")
    assert (tmp_path / "studies" / "digits" / "report.html").is_file()
    assert (tmp_path / "bundle" / "model.onnx").is_file()


@every_page
def test_scripts_and_files_are_there(page: Path) -> None:
    pattern = r"\bscripts/\w+(?:\.py)?|search_spaces/\w+\.toml|docs/\w+\.png"
    for name in set(re.findall(pattern, page.read_text())):
        assert (ROOT / name).is_file(), name


@pytest.mark.parametrize(
    ("page", "target"),
    [
        (page, target)
        for page in [*PAGES, *sorted((ROOT / "studies" / "published").rglob("*.md"))]
        for target in re.findall(r"\]\((?!https?:)([^)#]+)\)", page.read_text())
    ],
    ids=str,
)
def test_links_lead_somewhere(page: Path, target: str) -> None:
    assert (page.parent / target).exists()


def test_the_readme_names_the_two_commands() -> None:
    assert all(f"scripts/{name} " in README.read_text() for name in ("demo", "test"))


@pytest.mark.parametrize("script", ["figures.py", "api_page.py"])
def test_what_scripts_write_is_as_they_would_write_it(script: str) -> None:
    """No figure typed by hand; and the list of public names is that of the package."""
    command = [sys.executable, str(ROOT / "scripts" / script), "--check"]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout + result.stderr


def test_the_site_is_built_and_all_its_links_hold(tmp_path: Path) -> None:
    command = ["mkdocs", "build", "--strict", "--site-dir", str(tmp_path / "site")]
    result = subprocess.run(
        [str(BIN / command[0]), *command[1:]], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stderr
    built = {path.stem for path in (tmp_path / "site").glob("*.html")}
    assert {page.stem for page in DOCS} <= built
    # A name whose docstring is not found is not an error for mkdocs.
    api = (tmp_path / "site" / "api.html").read_text()
    listed = re.findall(r"^\| `(\S+)` \|", (ROOT / "docs/api.md").read_text(), re.MULTILINE)
    assert len(listed) > 60
    for name in listed:
        assert f">{name.rpartition('.')[2]}<" in api, name
