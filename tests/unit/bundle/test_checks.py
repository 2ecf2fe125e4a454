"""How a bundle's files are run."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mbnas.bundle.checks import infer_check, model_logits

MODEL = """
import torch
from installed import made

def load():
    return made(torch)
"""


def test_what_the_environment_names_is_found_and_the_current_folder_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bundle, packages, here = (tmp_path / name for name in ("bundle", "packages", "here"))
    for folder, file, text in (
        (bundle, "model.py", MODEL),
        (packages, "installed.py", "made = lambda torch: torch.nn.Identity()"),
        (here, "torch.py", "raise ImportError('taken from the current folder')"),
    ):
        folder.mkdir()
        (folder / file).write_text(text)
    monkeypatch.setenv("PYTHONPATH", str(packages))
    monkeypatch.chdir(here)
    images = np.ones((2, 3), np.float32)
    assert (model_logits(bundle, [images]) == images).all()
    assert not list(tmp_path.rglob("__pycache__"))  # which would be taken home


def test_labels_are_read_whatever_encoding_the_environment_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "infer.py").write_text("import sys; print(sys.argv[1], 'caf\\xe9', 1.0, sep='\\t')")
    monkeypatch.setenv("PYTHONIOENCODING", "latin-1")
    logits = np.array([[50, 0]], np.float32)
    infer_check(tmp_path, np.zeros((1, 4, 4, 3), np.uint8), logits, ["café", "tea"])


def test_a_line_of_labels_ends_where_infer_ends_it(tmp_path: Path) -> None:
    (tmp_path / "infer.py").write_text(
        "import sys; [print(one, 'two\\u2028lines', 1.0, sep='\\t') for one in sys.argv[1:]]"
    )
    logits = np.array([[50, 0], [50, 0]], np.float32)
    infer_check(tmp_path, np.zeros((2, 4, 4, 3), np.uint8), logits, ["two\u2028lines", "tea"])
