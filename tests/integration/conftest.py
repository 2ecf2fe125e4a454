"""A real study on real files, made once by the command itself."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from helpers import run_mbnas, stripes, tiny_space
from PIL import Image

TRIALS = 4


@dataclass(frozen=True)
class RealStudy:
    """Where a study lies, what it was made of, and what the command said."""

    folder: Path
    images: Path
    space: Path
    output: str

    @property
    def command(self) -> list[object]:
        """The command that made it, but for the verb's options on the budget."""
        return [
            *("search", self.space, "--data", f"folder:{self.images}", "--study", self.folder),
            *("--epochs", 2, "--device", "cpu"),
        ]


@pytest.fixture(scope="session")
def real_study(tmp_path_factory: pytest.TempPathFactory) -> RealStudy:
    """Two classes of striped PNGs in folders, searched, trained, timed."""
    root = tmp_path_factory.mktemp("real")
    part = stripes(400, resolution=12)
    for at, (image, label) in enumerate(zip(part.images, part.labels, strict=True)):
        folder = root / "stripes" / ("across" if label else "down")
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.moveaxis(image, 0, -1)).save(folder / f"{at:04d}.png")
    space = root / "tiny.toml"
    space.write_text(tiny_space().toml)
    made = RealStudy(root / "study", root / "stripes", space, "")
    result = run_mbnas(*made.command, "--trials", TRIALS)
    assert result.returncode == 0, result.stderr
    return RealStudy(made.folder, made.images, made.space, result.stdout)


@pytest.fixture
def study_copy(real_study: RealStudy, tmp_path: Path) -> Path:
    """A copy that a test may damage."""
    shutil.copytree(real_study.folder, tmp_path / "copy")
    return tmp_path / "copy"
