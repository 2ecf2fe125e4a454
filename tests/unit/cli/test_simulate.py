"""mbnas simulate, on a table with its settings beside it."""

from __future__ import annotations

from itertools import product
from pathlib import Path

import pandas
import pytest

from mbnas.cli import main

SETTINGS = """\
choices = "arch"
maximize = ["acc1", "acc2"]
minimize = "ms"
reference = ["0.2", "max"]
samplers = ["known_cost", "random"]
seeds = 2
trainings = 10
"""


@pytest.fixture
def table(tmp_path: Path) -> Path:
    rows = [
        f"{a}{b}{c},{0.5 + 0.05 * a + 0.11 * b + 0.01 * c},{0.51 + 0.05 * a + 0.11 * b},{1 + a + b}"
        for a, b, c in product(range(3), repeat=3)
    ]
    file = tmp_path / "small.csv"
    file.write_text("\n".join(["arch,acc1,acc2,ms", *rows, ""]))
    file.with_suffix(".toml").write_text(SETTINGS)
    return file


def test_settings_beside_the_table_need_not_be_said_and_the_last_lines_are_the_answer(
    table: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    assert main(["simulate", str(table), "--workers", "1", "--out", str(out)]) == 0
    lines = [line for line in capsys.readouterr().out.splitlines() if line.strip()]
    assert [line.split()[0] for line in lines[-2:]] == ["known_cost", "random"]
    frame = pandas.read_csv(out / "simulation.csv")
    assert set(frame.sampler) == {"known_cost", "random"}
    assert set(frame.seed) == {0, 1}
    assert frame.training.max() <= 10
    assert list(pandas.read_csv(out / "needed.csv").share.unique()) == [0.95, 0.98, 0.99]
    assert "known_cost" in (out / "simulation.html").read_text()


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ("seed = 2", 'did you mean "seeds"'),
        ("error = 'much'", "must be a number"),
        ("known = 3", "write a list of texts"),
        ("seeds = 'x", "cannot be read"),
        ("choices = []", "choices = []: name at least one"),
        ("maximize = []", "maximize = []: name at least one"),
        ("samplers = []", "samplers = []: name at least one"),
    ],
)
def test_faults_in_the_settings_are_told(
    changed: str, words: str, table: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table.with_suffix(".toml").write_text(changed)
    assert main(["simulate", str(table)]) == 1
    said = capsys.readouterr().err
    assert words in said
    assert "small.toml" in said


def test_a_whole_number_is_an_error_as_good_as_any(table: Path, tmp_path: Path) -> None:
    table.with_suffix(".toml").write_text(SETTINGS + "error = 0\n")
    assert main(["simulate", str(table), "--workers", "1", "--out", str(tmp_path / "out")]) == 0


def test_columns_must_be_said(table: Path, capsys: pytest.CaptureFixture[str]) -> None:
    table.with_suffix(".toml").unlink()
    assert main(["simulate", str(table)]) == 1
    assert "--choices" in capsys.readouterr().err


@pytest.mark.parametrize("place", ["", ".", "..", "/"])
def test_a_folder_without_a_name_is_no_table(
    place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "inner").mkdir()
    monkeypatch.chdir(tmp_path / "inner")
    assert main(["simulate", place]) == 1
    assert "not a study" in capsys.readouterr().err


def test_a_name_too_long_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["simulate", "x" * 300]) == 1
    assert "cannot be read (File name too long)" in capsys.readouterr().err


def test_a_name_is_printed_as_it_is(
    table: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    renamed = table.rename(tmp_path / "t[red]9.csv")
    # As Windows' Notepad writes it.
    renamed.with_suffix(".toml").write_text(SETTINGS, encoding="utf-8-sig")
    assert main(["simulate", str(renamed), "--workers", "1", "--out", str(tmp_path / "out")]) == 0
    assert "t[red]9: 27 networks" in capsys.readouterr().out
