"""What is published of a confirmed study: small, without a path, and read by the figures."""

from __future__ import annotations

import importlib
import json
import sys
from pathlib import Path
from typing import Any

import pytest
from browser.pages import chromium
from helpers import ROOT
from integration.contests import confirm, searched

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    chromium()
    folder = tmp_path_factory.mktemp("publishing")
    study = searched(folder)
    confirm(study, seeds=2, baselines=["mobilenet_v2@0.35", "mobilenet_v1@0.25"])
    out = folder / "published"
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(ROOT / "scripts"))
        patch.setattr(
            sys, "argv", ["publish.py", str(study.folder.path), str(out), "--command", "scripts/x"]
        )
        importlib.import_module("publish").main()
    return out


def test_tables_networks_and_a_picture_are_there(published: Path) -> None:
    names = {path.name for path in published.iterdir()}
    assert {"README.md", "confirmed.json", "front.csv", "report.png", "space.toml"} <= names
    assert any(name.startswith("trial-") for name in names)
    text = (published / "README.md").read_text()
    for words in ("`scripts/x`", "mobilenet_v2 ×0.35", "| trial ", "last fifth", "report.png"):
        assert words in text
    assert sum(path.stat().st_size for path in published.iterdir()) < 5_000_000


def test_no_path_of_this_machine_is_in_it(published: Path) -> None:
    for path in published.iterdir():
        if path.suffix != ".png":
            assert str(published.parent) not in path.read_text()


def test_the_figures_read_it(published: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(ROOT / "scripts"))
    figures: Any = importlib.import_module("figures")
    machine, rows = figures.confirmed(published)
    assert "ONNX Runtime" in machine
    assert [row.what for row in rows[:2]] == [
        f"front of CIFAR-10 at the accuracy of {name}, trained alike"
        for name in ("mobilenet_v2 ×0.35", "mobilenet_v1 ×0.25")
    ]
    versus = json.loads((published / "confirmed.json").read_text())["versus"]
    larger = versus["difference"]["value"] / versus["baselines_hypervolume"]
    assert rows[-1].figure.startswith(f"{larger:+.1%}")
