"""What mbnas search says of a calibration that does not serve."""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path

import pytest
from helpers import tiny_space

from mbnas.cli.search import _predictor


def test_a_calibration_for_other_classes_is_told(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setenv("MBNAS_CACHE", str(tmp_path))  # other tests calibrate this space
    arguments = Namespace(file="mine.toml", threads=1)
    assert _predictor(arguments, tiny_space(), 7) is None
    assert capsys.readouterr().out == ""
    monkeypatch.setattr("mbnas.cli.search.calibrated_classes", lambda *_: [10])
    assert _predictor(arguments, tiny_space(), 7) is None
    said = capsys.readouterr().out
    assert "calibrated for 10 classes, and here are 7" in said
    assert "mbnas calibrate mine.toml --classes 7" in said
