"""The demo's claim: a network for real handwritten digits, in minutes, out of one command."""

from __future__ import annotations

from pathlib import Path

from helpers import run_mbnas

from mbnas.search import open_study


def test_the_demo_reaches_97_per_cent_and_leaves_its_files(tmp_path: Path) -> None:
    result = run_mbnas("demo", "--trials", 3, "--out", tmp_path)
    assert result.returncode == 0, result.stderr
    best = max(trial.accuracy or 0 for trial in open_study(tmp_path / "digits").trials)
    assert best >= 0.97
    assert (tmp_path / "digits" / "report.html").is_file()
    assert (tmp_path / "bundle" / "model.onnx").is_file()
    assert "The front" in result.stdout
