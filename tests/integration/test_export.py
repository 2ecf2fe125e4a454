"""Exports of a real study: the right network, files that run, clear refusals."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
import torch
from helpers import run_mbnas, stripes
from integration.conftest import RealStudy
from safetensors.numpy import load_file, save_file

import mbnas
from mbnas.errors import ExportError, StudyError


def test_every_rule_picks_its_network(real_study: RealStudy) -> None:
    study = mbnas.open_study(real_study.folder)
    front = study.front
    assert mbnas.pick(study, "accuracy") == front[-1]
    assert mbnas.pick(study, "latency") == front[0]
    assert mbnas.pick(study, "knee") in front
    trained = [trial for trial in study.trials if trial.status == "trained"]
    assert mbnas.pick(study, f"trial:{trained[0].number}") == trained[0]
    middle = sorted(trial.latency_ms or 0 for trial in trained)[len(trained) // 2]
    chosen = mbnas.pick(study, f"latency_ms<={middle}")
    inside = [trial for trial in trained if (trial.latency_ms or 0) <= middle]
    assert chosen.accuracy == max(trial.accuracy or 0 for trial in inside)
    assert chosen in inside


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        ("best", "unknown"),
        ("trial:99", "no finished trial 99"),
        ("latency_ms<=0.000001", "the least of this study is"),
        ("latency<=5", 'did you mean "latency_ms"'),
        ("latency_ms<=e", "not a number"),
    ],
)
def test_a_rule_that_names_nothing_is_refused(rule: str, words: str, real_study: RealStudy) -> None:
    study = mbnas.open_study(real_study.folder)
    with pytest.raises(StudyError, match=words):
        mbnas.pick(study, rule)


def test_the_bundle_runs_and_says_what_it_is(real_study: RealStudy, tmp_path: Path) -> None:
    result = run_mbnas("export", real_study.folder, "--pick", "knee", "--out", tmp_path / "bundle")
    assert result.returncode == 0, result.stderr
    bundle = tmp_path / "bundle"
    assert {file.name for file in bundle.iterdir()} == {
        "model.onnx",
        "weights.safetensors",
        "architecture.json",
        "CARD.md",
    }
    session = onnxruntime.InferenceSession(bundle / "model.onnx")
    texts = session.get_modelmeta().custom_metadata_map
    assert json.loads(texts["labels"]) == ["across", "down"]
    how = json.loads(texts["preprocessing"])
    trial = mbnas.pick(mbnas.open_study(real_study.folder), "knee")
    assert json.loads(texts["provenance"])["trial"] == trial.number

    # Someone who has the files alone gets the recorded accuracy on images of the same kind.
    architecture = mbnas.Architecture.from_json((bundle / "architecture.json").read_text())
    assert architecture == trial.architecture
    network = mbnas.build(architecture, classes=2)
    state = {k: torch.from_numpy(v) for k, v in load_file(bundle / "weights.safetensors").items()}
    network.load_state_dict(state, strict=False)
    part = stripes(40, resolution=how["resolution"], seed=9)
    mean = np.array(how["mean"])[None, :, None, None]
    std = np.array(how["std"])[None, :, None, None]
    images = ((part.images * how["scale"] - mean) / std).astype(np.float32)
    (logits,) = session.run(None, {"image": images})
    with torch.no_grad():
        expected = network.eval()(torch.from_numpy(images)).numpy()
    np.testing.assert_allclose(logits, expected, atol=1e-4)
    card = (bundle / "CARD.md").read_text()
    assert f"{trial.accuracy:.4f}" in card
    assert "test part not opened" in card
    assert "across, down" in card


def test_a_bundle_is_replaced_and_other_files_are_not(
    real_study: RealStudy, tmp_path: Path
) -> None:
    study = mbnas.open_study(real_study.folder)
    mbnas.export(study, tmp_path / "bundle")
    second = mbnas.export(study, tmp_path / "bundle", "latency")
    assert mbnas.pick(study, "latency") == second.trial
    (tmp_path / "bundle" / "notes.txt").write_text("mine")
    with pytest.raises(ExportError, match="holds other things"):
        mbnas.export(study, tmp_path / "bundle")
    assert (tmp_path / "bundle" / "notes.txt").read_text() == "mine"


def test_weights_that_are_gone_or_damaged_are_said(study_copy: Path, tmp_path: Path) -> None:
    study = mbnas.open_study(study_copy)
    trial = mbnas.pick(study, "knee")
    file = study.folder.trial_folder(trial.number) / "weights.safetensors"
    content = file.read_bytes()
    file.write_bytes(content[: len(content) // 2])
    with pytest.raises(ExportError, match=r"weights\.safetensors: damaged"):
        mbnas.export(study, tmp_path / "bundle")
    file.unlink()
    with pytest.raises(ExportError, match=r"weights\.safetensors: missing"):
        mbnas.export(study, tmp_path / "bundle")
    assert not (tmp_path / "bundle").exists()


def test_weights_of_another_accuracy_are_refused(study_copy: Path, tmp_path: Path) -> None:
    study = mbnas.open_study(study_copy)
    trial = mbnas.pick(study, "knee")
    file = study.folder.trial_folder(trial.number) / "weights.safetensors"
    weights = load_file(file)
    weights["head.classifier.weight"] = -weights["head.classifier.weight"]
    save_file(weights, file)
    with pytest.raises(ExportError, match="was recorded"):
        mbnas.export(study, tmp_path / "bundle")


def test_other_images_than_the_studys_are_refused(real_study: RealStudy, tmp_path: Path) -> None:
    study = mbnas.open_study(real_study.folder)
    with pytest.raises(ExportError, match="other images"):
        mbnas.export(study, tmp_path / "bundle", data="digits")


def test_a_moved_data_set_is_named(real_study: RealStudy, tmp_path: Path) -> None:
    study = mbnas.open_study(real_study.folder)
    shutil.copytree(real_study.images, tmp_path / "moved")
    bundle = mbnas.export(study, tmp_path / "bundle", data=f"folder:{tmp_path / 'moved'}")
    assert bundle.accuracy == bundle.trial.accuracy


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda held: held.pop("head.classifier.bias"), "head.classifier.bias is missing"),
        (lambda held: held.update(more=np.zeros(1, np.float32)), "more is float32"),
        (
            lambda held: held.update({"head.classifier.bias": np.zeros(7, np.float32)}),
            r"head.classifier.bias is float32 \(7,\), its network's is float32 \(2,\)",
        ),
        (
            lambda held: held.update({"head.classifier.bias": np.zeros(2, np.int64)}),
            "head.classifier.bias is int64",
        ),
        (
            lambda held: held.update({"head.classifier.bias": np.full(2, np.nan, np.float32)}),
            "differ by nan",
        ),
    ],
    ids=["missing", "more", "another shape", "another type", "not a number"],
)
def test_weights_of_another_network_are_named(
    change: Callable[[dict[str, Any]], Any], words: str, study_copy: Path, tmp_path: Path
) -> None:
    study = mbnas.open_study(study_copy)
    file = study.folder.weights_file(study.front[-1].number)
    weights = load_file(file)
    change(weights)
    save_file(weights, file)
    with pytest.raises(ExportError, match=words) as caught:
        mbnas.export(study, tmp_path / "bundle", "accuracy")
    assert str(study_copy) in str(caught.value)


def test_a_network_above_the_studys_images_is_named(study_copy: Path, tmp_path: Path) -> None:
    study = mbnas.open_study(study_copy)
    trial = study.front[-1]
    large = replace(trial, architecture=replace(trial.architecture, resolution=1_000_000))
    with pytest.raises(ExportError, match=f"{study_copy}: trial {trial.number}: damaged"):
        mbnas.export(study, tmp_path / "bundle", large)
