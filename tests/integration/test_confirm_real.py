"""Confirming for real, on digits, from the command line."""

from __future__ import annotations

import json
from pathlib import Path
from statistics import mean

import pytest
from helpers import run_mbnas, tiny_space
from unit.bundle.file_meter import FakeFileMeter

import mbnas
from mbnas.errors import ExportError
from mbnas.search import open_study


def check_export(folder: Path, place: Path, found: mbnas.Confirmation) -> None:
    """A confirmed network goes home with its best training, whose test accuracy is looked at."""
    study = open_study(folder)
    bundle = mbnas.export(study, place / "bundle", pick="accuracy", meter=FakeFileMeter(1.0))
    one = found.of_trial(bundle.trial.number)
    assert one is not None
    assert one is max(found.front, key=lambda one: mean(one.validation))
    best = one.best_run
    assert bundle.accuracy == pytest.approx(one.validation[best], abs=0.03)
    assert bundle.test_accuracy == pytest.approx(one.test[best], abs=0.01)
    weights = one.contested.weights[best].read_bytes()
    assert (place / "bundle" / "weights.safetensors").read_bytes() == weights
    card = (place / "bundle" / "CARD.md").read_text()
    assert f"test accuracy | {bundle.test_accuracy:.4f}" in card
    assert "over 2 trainings" in card
    one.contested.weights[best].unlink()
    with pytest.raises(ExportError, match="missing; "):
        mbnas.export(study, place / "bundle", pick="accuracy", meter=FakeFileMeter(1.0))
    one.contested.weights[best].write_bytes(weights)


def test_from_the_command_line_on_real_digits(tmp_path: Path) -> None:
    space = tmp_path / "tiny.toml"
    space.write_text(tiny_space().toml)
    folder = tmp_path / "study"
    data = ("--data", "digits", "--subset", 400, "--device", "cpu")
    made = run_mbnas("search", space, *data, "--epochs", 2, "--trials", 4, "--study", folder)
    assert made.returncode == 0, made.stderr
    ran = run_mbnas("baselines", folder, "mobilenet_v2@0.35", "--device", "cpu")
    assert ran.returncode == 0, ran.stderr
    assert "mobilenet_v2 ×0.35" in ran.stdout
    assert "- at the latency of mobilenet_v2 ×0.35" in ran.stdout
    again = ("confirm", folder, "--epochs", 3, "--seeds", 2, "--near", 0, "--device", "cpu")
    ran = run_mbnas(*again)
    assert ran.returncode == 0, ran.stderr
    assert "the test part is opened" in ran.stdout
    assert "of the front" in ran.stdout
    found = mbnas.open_confirmation(open_study(folder))
    assert found is not None
    for one in found.networks:
        assert 0 < mean(one.test) <= 1
    assert json.loads((folder / "study.json").read_text())["test_openings"]
    check_export(folder, tmp_path, found)
    ran = run_mbnas(*again)
    assert "opened" not in ran.stdout
    assert ran.returncode == 0
    other = run_mbnas("confirm", folder, "--epochs", 4, "--seeds", 2)
    assert other.returncode == 1
    assert "epochs: 3 there, 4 now" in other.stderr
    assert len(other.stderr.splitlines()) == 1
