"""The verb where its extra is not installed."""

from __future__ import annotations

import sys

import pytest

from mbnas.cli import main


def test_what_is_missing_is_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in [name for name in sys.modules if name.startswith("mbnas.dashboard")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "dash", None)
    assert main(["dashboard", "studies/none"]) == 1
    assert "pip install 'mbnas[dashboard]'" in capsys.readouterr().err
