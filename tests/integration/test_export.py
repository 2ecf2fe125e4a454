"""Exports of a real study: the right network, files that run, clear refusals."""

from __future__ import annotations

import importlib
import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
import torch
from helpers import Images, run_mbnas, stripes
from integration.conftest import RealStudy
from numpy.typing import NDArray
from PIL import Image
from safetensors.numpy import load_file, save_file
from unit.bundle.file_meter import FakeFileMeter

import mbnas
from mbnas.bundle import Accuracy, TrainedNetwork, network_of_trial, write_bundle
from mbnas.bundle.checks import onnx_logits
from mbnas.bundle.images import StudyImages, batches
from mbnas.errors import DataError, ExportError, StudyError
from mbnas.measure.onnx_file import to_onnx

export_file = importlib.import_module("mbnas.bundle.export")
METER = FakeFileMeter(1.0)
Logits = NDArray[np.float32]


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
        "model.py",
        "infer.py",
        "confusion.png",
        "CARD.md",
    }
    assert "ONNX Runtime, model.py and PyTorch agree within" in result.stdout
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
    assert "timed again" in card
    assert "![Confusion matrix](confusion.png)" in card
    check_elsewhere(bundle, tmp_path / "elsewhere", part, expected)


def check_elsewhere(bundle: Path, folder: Path, part: Images, expected: Logits) -> None:
    """Both programs run in another folder, in processes that never hear of mbnas."""
    shutil.copytree(bundle, folder)
    np.save(folder / "images.npy", part.images)
    for number, image in enumerate(part.images[:3]):
        # Twice as large: what infer.py is given is of any size.
        large = Image.fromarray(np.moveaxis(image, 0, -1)).resize((24, 24), Image.Resampling.BOX)
        large.save(folder / f"{number}.png")
    script = """
import sys, runpy
sys.path.insert(0, ".")
import infer
told = [infer.classify(f"{number}.png", top=2) for number in range(3)]
sys.argv = ["infer.py", "0.png", "1.png", "2.png", "--top", "2"]
runpy.run_path("infer.py", run_name="__main__")
assert not {"torch", "mbnas", "onnx"} & set(sys.modules)
for best, other in told:
    assert best[1] >= other[1] and abs(best[1] + other[1] - 1) < 1e-9
import model, torch
network = model.load()
assert not network.training and isinstance(network, torch.nn.Module)
assert model.LABELS == ("across", "down")
assert "mbnas" not in sys.modules
"""
    done = subprocess.run(
        [sys.executable, "-I", "-c", script],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    lines = [line.split("\t") for line in done.stdout.splitlines()]
    assert [line[0] for line in lines] == ["0.png", "1.png", "2.png"]
    names = ["across", "down"]
    assert [line[1] for line in lines] == [names[at] for at in expected[:3].argmax(axis=1)]


def test_the_programs_say_what_is_wrong(real_study: RealStudy, tmp_path: Path) -> None:
    mbnas.export(mbnas.open_study(real_study.folder), tmp_path / "bundle", meter=METER)
    weights = tmp_path / "bundle" / "weights.safetensors"
    held = load_file(weights)
    held["head.classifier.bias"] = np.zeros(7, np.float32)
    save_file(held, weights)
    (tmp_path / "notes.jpg").write_text("no image")
    command = [sys.executable, "-I", tmp_path / "bundle" / "infer.py", tmp_path / "notes.jpg"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith(f"{tmp_path / 'notes.jpg'}: cannot be classified (")
    script = "import sys; sys.path.insert(0, '.'); import model; model.load()"
    command = [sys.executable, "-I", "-c", script]
    done = subprocess.run(
        command, cwd=tmp_path / "bundle", capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert "size mismatch for head.classifier.bias" in done.stderr
    # What importing it left is no stranger's file.
    assert (tmp_path / "bundle" / "__pycache__").is_dir()
    mbnas.export(mbnas.open_study(real_study.folder), tmp_path / "bundle", meter=METER)
    assert not (tmp_path / "bundle" / "__pycache__").exists()


def test_a_file_that_computes_something_else_is_not_written(
    real_study: RealStudy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    study = mbnas.open_study(real_study.folder)
    written = export_file.network_text

    def wrong(*arguments: Any) -> str:
        return written(*arguments).replace("return self.head(x)", "return 1.01 * self.head(x)")

    monkeypatch.setattr(export_file, "network_text", wrong)
    with pytest.raises(ExportError, match=r"trial \d+: model.py and PyTorch differ by"):
        mbnas.export(study, tmp_path / "bundle", meter=METER)
    monkeypatch.setattr(export_file, "network_text", lambda *_: "import nothing_of_that_name")
    with pytest.raises(ExportError, match=r"model.py does not run: ModuleNotFoundError"):
        mbnas.export(study, tmp_path / "bundle", meter=METER)
    monkeypatch.setattr(export_file, "network_text", written)
    blind = tmp_path / "infer.py"
    text = export_file.INFER.read_text()
    blind.write_text(text.replace("shares = np.exp(logits", "shares = np.exp(-logits"))
    monkeypatch.setattr(export_file, "INFER", blind)
    with pytest.raises(ExportError, match=r'infer.py says ".*" of an image that the network'):
        mbnas.export(study, tmp_path / "bundle", meter=METER)
    assert not (tmp_path / "bundle").exists()


def test_a_full_disk_is_told_by_its_place(
    real_study: RealStudy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    study, target = mbnas.open_study(real_study.folder), tmp_path / "bundle"

    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device", "/tmp/0.png")

    with monkeypatch.context() as patched:
        patched.setattr(export_file, "infer_check", full)
        words = (
            r"trial \d+: the bundle cannot be tried \(.*No space left on device: '/tmp/0\.png'\)"
        )
        with pytest.raises(ExportError, match=words):
            mbnas.export(study, target, meter=METER)
    with monkeypatch.context() as patched:
        patched.setattr(Path, "write_bytes", full)
        words = rf"{target}: cannot be written \(No space left on device\)"
        with pytest.raises(ExportError, match=words):
            mbnas.export(study, target, meter=METER)
    assert list(tmp_path.iterdir()) == []


def test_a_stopped_trial_is_not_taken_home(real_study: RealStudy) -> None:
    study = mbnas.open_study(real_study.folder)
    trials = [replace(trial, status="stopped", reason="too slow") for trial in study.trials]
    stopped = mbnas.Study(study.folder, study.record, study.space, trials)
    with pytest.raises(StudyError, match="trial 0 is stopped: too slow"):
        mbnas.pick(stopped, "trial:0")
    with pytest.raises(StudyError, match="has no front yet"):
        mbnas.pick(stopped, "knee")


def test_a_test_accuracy_is_compared_too(real_study: RealStudy, tmp_path: Path) -> None:
    """As a network has it that was trained with several seeds."""
    study = mbnas.open_study(real_study.folder)
    found, images = network_of_trial(study, study.front[-1]), StudyImages(study)
    options: dict[str, Any] = {"int8": False, "max_drop": 0.0, "meter": METER}
    part = images.part("test")
    content = to_onnx(found.architecture.lower(2), found.weights)
    logits = onnx_logits(content, batches(part, found.architecture.resolution))
    reached = float((logits.argmax(axis=1) == part.labels.numpy()).mean())

    def network(test: float) -> TrainedNetwork:
        accuracies = {**found.accuracies, "test": Accuracy(test, 0.9, 0.0123, 3)}
        return replace(found, accuracies=accuracies, remark="Trained three times.")

    with pytest.raises(ExportError, match=r"reaches .* on the test part, .* was recorded"):
        write_bundle(network(reached - 0.1), tmp_path / "bundle", images, **options)
    write_bundle(network(reached), tmp_path / "bundle", images, **options)
    card = (tmp_path / "bundle" / "CARD.md").read_text()
    assert f"| test accuracy | {reached:.4f} (this file, on 80 images); 0.9000 ± 0.0123" in card
    assert "not opened" not in card
    assert "Trained three times." in card


def test_another_latency_is_remarked_and_no_failure(real_study: RealStudy, tmp_path: Path) -> None:
    study = mbnas.open_study(real_study.folder)
    bundle = mbnas.export(study, tmp_path / "bundle", meter=FakeFileMeter(77.0, host="elsewhere"))
    assert bundle.latency.latency_ms == 77
    note = bundle.latency_note
    assert note is not None
    assert "timed again on another host or ONNX Runtime, 77.000 ms instead of" in note
    assert f"Note: {note}." in (tmp_path / "bundle" / "CARD.md").read_text()
    recorded = bundle.trial.latency
    assert recorded is not None
    same = mbnas.export(study, tmp_path / "bundle", meter=FakeFileMeter(recorded.latency_ms))
    assert same.latency_note is None


def test_a_bundle_is_replaced_and_other_files_are_not(
    real_study: RealStudy, tmp_path: Path
) -> None:
    study = mbnas.open_study(real_study.folder)
    mbnas.export(study, tmp_path / "bundle", meter=METER)
    second = mbnas.export(study, tmp_path / "bundle", "latency", meter=METER)
    assert mbnas.pick(study, "latency") == second.trial
    (tmp_path / "bundle" / "notes.txt").write_text("mine")
    with pytest.raises(ExportError, match="holds other things"):
        mbnas.export(study, tmp_path / "bundle", meter=METER)
    assert (tmp_path / "bundle" / "notes.txt").read_text() == "mine"


def test_weights_that_are_gone_or_damaged_are_said(study_copy: Path, tmp_path: Path) -> None:
    study = mbnas.open_study(study_copy)
    trial = mbnas.pick(study, "knee")
    file = study.folder.trial_folder(trial.number) / "weights.safetensors"
    content = file.read_bytes()
    file.write_bytes(content[: len(content) // 2])
    with pytest.raises(ExportError, match=r"weights\.safetensors: damaged"):
        mbnas.export(study, tmp_path / "bundle", meter=METER)
    file.unlink()
    with pytest.raises(ExportError, match=r"weights\.safetensors: missing"):
        mbnas.export(study, tmp_path / "bundle", meter=METER)
    assert not (tmp_path / "bundle").exists()


def test_weights_of_another_accuracy_are_refused(study_copy: Path, tmp_path: Path) -> None:
    study = mbnas.open_study(study_copy)
    trial = mbnas.pick(study, "knee")
    file = study.folder.trial_folder(trial.number) / "weights.safetensors"
    weights = load_file(file)
    weights["head.classifier.weight"] = -weights["head.classifier.weight"]
    save_file(weights, file)
    with pytest.raises(ExportError, match="was recorded"):
        mbnas.export(study, tmp_path / "bundle", meter=METER)


def test_other_images_than_the_studys_are_refused(real_study: RealStudy, tmp_path: Path) -> None:
    study = mbnas.open_study(real_study.folder)
    with pytest.raises(DataError, match="other images"):
        mbnas.export(study, tmp_path / "bundle", data="digits")


def test_a_moved_data_set_is_named(real_study: RealStudy, tmp_path: Path) -> None:
    study = mbnas.open_study(real_study.folder)
    shutil.copytree(real_study.images, tmp_path / "moved")
    bundle = mbnas.export(
        study, tmp_path / "bundle", data=f"folder:{tmp_path / 'moved'}", meter=METER
    )
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
        mbnas.export(study, tmp_path / "bundle", "accuracy", meter=METER)
    assert str(study_copy) in str(caught.value)


def test_a_network_above_the_studys_images_is_named(study_copy: Path, tmp_path: Path) -> None:
    study = mbnas.open_study(study_copy)
    trial = study.front[-1]
    large = replace(trial, architecture=replace(trial.architecture, resolution=1_000_000))
    with pytest.raises(ExportError, match=f"{study_copy}: trial {trial.number}: damaged"):
        mbnas.export(study, tmp_path / "bundle", large, meter=METER)
