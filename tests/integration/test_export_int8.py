"""Exports in 8 bits: kept where they are worth having, left out with the figures where not."""

from __future__ import annotations

import importlib
import json
import re
import subprocess
import sys
from pathlib import Path

import onnx
import pytest
from integration.conftest import RealStudy
from onnx import numpy_helper
from unit.bundle.file_meter import FakeFileMeter

import mbnas
from mbnas.bundle import eight_bits
from mbnas.cli import main
from mbnas.errors import ExportError, MeasureError

export_file = importlib.import_module("mbnas.bundle.export")
TWICE_AS_FAST = FakeFileMeter(1.0, 0.5)


def test_8_bits_that_are_worth_having(real_study: RealStudy, tmp_path: Path) -> None:
    study = mbnas.open_study(real_study.folder)
    assert study.front[-1].architecture.stages[0].activation == "relu6"
    bundle = mbnas.export(
        study, tmp_path / "bundle", "accuracy", int8=True, max_drop=0.02, meter=TWICE_AS_FAST
    )
    assert bundle.int8 is not None
    assert bundle.int8.speed_up == 2
    assert bundle.int8.drop <= 0.02
    models = [onnx.load(bundle.folder / name) for name in ("model.onnx", "model.int8.onnx")]
    texts = [{entry.key: entry.value for entry in model.metadata_props} for model in models]
    assert texts[0] == texts[1]
    assert json.loads(texts[1]["labels"]) == ["across", "down"]
    assert "QuantizeLinear" in {node.op_type for node in models[1].graph.node}
    card = (bundle.folder / "CARD.md").read_text()
    assert "| in 8 bits | 2.00 times as fast (0.500 ms), validation accuracy" in card
    assert bundle.int8.images == study.record.data.sizes["validation"]
    assert f"same label on {bundle.int8.same} of {bundle.int8.images} images |" in card
    (command,) = re.findall(r"`python (infer\.py .+)`", card)
    image = next(real_study.images.glob("*/*.png"))
    arguments = [str(image) if one == "photo.jpg" else one for one in command.split()]
    # As it stands there, from another folder.
    done = subprocess.run(
        [sys.executable, bundle.folder / arguments[0], *arguments[1:]],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f"{image}\t")


def test_8_bits_that_are_slower_are_left_out(real_study: RealStudy, tmp_path: Path) -> None:
    study, folder = mbnas.open_study(real_study.folder), tmp_path / "bundle"
    mbnas.export(study, folder, int8=True, max_drop=1, meter=TWICE_AS_FAST)
    assert (folder / "model.int8.onnx").exists()
    with pytest.raises(ExportError, match=r"no faster than 32 bits here: 0.50 times as") as caught:
        mbnas.export(study, folder, int8=True, max_drop=1, meter=FakeFileMeter(1.0, 2.0))
    assert f"the bundle without it is in {folder}" in str(caught.value)
    assert (folder / "model.onnx").exists()
    assert not (folder / "model.int8.onnx").exists()
    card = (folder / "CARD.md").read_text()
    assert "left out, no faster than 32 bits here" in card
    assert "model.int8.onnx`" not in card


def blind(content: bytes, _: object) -> bytes:
    """A file that says the opposite."""
    model = onnx.load_from_string(content)
    for held in model.graph.initializer:
        if held.name.startswith("head.classifier"):
            held.CopyFrom(numpy_helper.from_array(-numpy_helper.to_array(held), held.name))
    made: bytes = model.SerializeToString()
    return made


def test_8_bits_that_cost_accuracy_are_left_out(
    real_study: RealStudy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    study, folder = mbnas.open_study(real_study.folder), tmp_path / "bundle"
    monkeypatch.setattr(eight_bits, "quantised", blind)
    with pytest.raises(ExportError, match=r"left out, more than 0.01 of accuracy lost: 2.00 times"):
        mbnas.export(study, folder, "accuracy", int8=True, meter=TWICE_AS_FAST)
    assert (folder / "model.onnx").exists()
    assert not (folder / "model.int8.onnx").exists()


def test_tools_that_fail_are_said_and_the_bundle_is_there(
    real_study: RealStudy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> bytes:
        raise MeasureError("ONNX Runtime's tools cannot quantise it: no reason")

    study, folder = mbnas.open_study(real_study.folder), tmp_path / "bundle"
    monkeypatch.setattr(eight_bits, "quantised", fail)
    with pytest.raises(ExportError, match="left out, ONNX Runtime's tools cannot quantise it"):
        mbnas.export(study, folder, int8=True, meter=FakeFileMeter(1.0))
    assert (folder / "model.onnx").exists()


def test_the_command_says_what_came_of_it(
    real_study: RealStudy,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    command = ["export", str(real_study.folder), "--int8", "--max-drop", "1"]
    command += ["--out", str(tmp_path / "bundle")]
    for second, code, words in ((0.5, 0, "in 8 bits 2.00 times as"), (2, 1, "is left out, no")):
        meter = FakeFileMeter(1.0, second)
        monkeypatch.setattr(export_file, "OrtLatencyMeter", lambda _, meter=meter: meter)
        assert main(command) == code
        said = capsys.readouterr()
        assert words in (said.err if code else said.out)
        assert (tmp_path / "bundle" / "model.int8.onnx").exists() == (code == 0)


def test_a_drop_that_is_none_is_refused(real_study: RealStudy, tmp_path: Path) -> None:
    study = mbnas.open_study(real_study.folder)
    with pytest.raises(ExportError, match=r"max_drop = 2: must be between 0 and 1"):
        mbnas.export(study, tmp_path / "bundle", int8=True, max_drop=2, meter=TWICE_AS_FAST)
