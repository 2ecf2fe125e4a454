"""infer.py as a command: its models, its images, and what it says of those that are none."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path

import pytest
from PIL import Image

from mbnas.bundle import infer_template as infer
from mbnas.measure.onnx_file import to_onnx
from mbnas.network import Architecture, Stage

LABELS = ["日本", "tea"]


@pytest.fixture
def bundle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a network; the command is run from another one, which holds two images."""
    folder, here = tmp_path / "bundle", tmp_path / "here"
    folder.mkdir()
    here.mkdir()
    graph = Architecture(resolution=8, stages=(Stage(width=8),)).lower(len(LABELS))
    how = {"decoded_resolution": 8, "resolution": 8, "scale": 1 / 255}
    texts = {"labels": LABELS, "preprocessing": {**how, "mean": [0.5] * 3, "std": [0.2] * 3}}
    kept = {name: json.dumps(text) for name, text in texts.items()}
    (folder / "model.onnx").write_bytes(to_onnx(graph, metadata=kept))
    for name in ("a.png", "b.png"):
        Image.new("RGB", (9, 9), "red").save(here / name)
    infer._opened.cache_clear()
    monkeypatch.setattr(infer, "MODEL", folder / "model.onnx")
    monkeypatch.chdir(here)
    return folder


def run(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> object:
    """The command's exit code, or what Python would print before it exits with 1."""
    monkeypatch.setattr("sys.argv", ["infer.py", *arguments])
    try:
        infer.main()
    except SystemExit as end:
        return end.code
    return 0


@pytest.mark.usefixtures("bundle")
def test_an_unreadable_image_does_not_keep_others_from_their_labels(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("notes.png").write_text("no image")
    assert run(monkeypatch, "a.png", "notes.png", "gone.png", "b.png") == 1
    said = capsys.readouterr()
    assert [line.split("\t")[0] for line in said.out.splitlines()] == ["a.png", "b.png"]
    assert [line.split(" (")[0] for line in said.err.splitlines()] == [
        "notes.png: cannot be classified",
        "gone.png: cannot be classified",
    ]
    assert run(monkeypatch, "a.png", "b.png") == 0


def test_a_model_is_sought_here_and_then_beside_the_program(
    bundle: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (bundle / "model.onnx").rename(bundle / "model.int8.onnx")
    assert run(monkeypatch, "a.png", "--model", "model.int8.onnx") == 0
    assert capsys.readouterr().out.startswith("a.png\t")
    infer._opened.cache_clear()
    Path("model.int8.onnx").write_text("no network")
    assert run(monkeypatch, "a.png", "--model", "model.int8.onnx") != 0


@pytest.mark.parametrize("name", ["gone.onnx", "broken.onnx", "foreign.onnx", "", "folder"])
def test_a_missing_or_broken_model_is_told_in_a_line(
    name: str, bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    graph = Architecture(resolution=8, stages=(Stage(width=8),)).lower(2)
    (bundle / "foreign.onnx").write_bytes(to_onnx(graph))  # without labels
    (bundle / "broken.onnx").write_bytes((bundle / "model.onnx").read_bytes()[:-100])
    (bundle / "folder").mkdir()
    said = str(run(monkeypatch, "a.png", "--model", name))
    assert said.startswith(f"{name}: cannot be loaded as a model of mbnas (")
    assert len(said.splitlines()) == 1


@pytest.mark.usefixtures("bundle")
@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
def test_a_label_that_the_output_cannot_hold_is_escaped(
    encoding: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    held = io.BytesIO()
    monkeypatch.setattr("sys.stdout", io.TextIOWrapper(held, encoding=encoding, newline=""))
    assert run(monkeypatch, "a.png", "--top", "2") == 0
    sys.stdout.flush()
    assert b"\\u65e5\\u672c\t" in held.getvalue()


@pytest.mark.usefixtures("bundle")
@pytest.mark.parametrize("top", ["0", "-1", "x", "1.5"])
def test_fewer_labels_than_one_are_refused(
    top: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, "a.png", f"--top={top}") == 2
    assert f"argument --top: {top}: must be a whole number of at least 1" in capsys.readouterr().err


@pytest.mark.usefixtures("bundle")
def test_fewer_labels_than_one_are_refused_from_python() -> None:
    with pytest.raises(ValueError, match="top = 0: must be at least 1"):
        infer.classify("a.png", top=0)
