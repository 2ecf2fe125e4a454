from __future__ import annotations

import platform
from importlib import metadata

import pytest

from mbnas.doctor import versions

VERSION, REQUIRES = metadata.version, metadata.requires


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> dict[str, str | None]:
    """Versions that differ from what is installed; None for a package that is not."""
    changed: dict[str, str | None] = {}

    def version(name: str) -> str:
        there = changed[name] if name in changed else VERSION(name)
        if there is None:
            raise metadata.PackageNotFoundError(name)
        return there

    monkeypatch.setattr(metadata, "version", version)
    return changed


def test_what_is_installed_here_is_as_required() -> None:
    assert versions.python_version().state == "well"
    first, *clashes = versions.packages()
    assert first.state == "well"
    assert "torch " in first.said
    assert all(one.state == "note" for one in clashes)


def test_a_missing_package_is_a_fault_with_its_pip_line(installed: dict[str, str | None]) -> None:
    installed["optuna"] = None
    (found,) = [one for one in versions.packages() if one.state == "fault"]
    assert "optuna: missing" in found.said
    assert found.mend
    assert found.mend.startswith("pip install 'optuna>=")


def test_an_old_package_is_a_fault(installed: dict[str, str | None]) -> None:
    installed["onnxruntime"] = "1.2.0"
    (found,) = [one for one in versions.packages() if one.state == "fault"]
    assert "onnxruntime: 1.2.0; needed is onnxruntime>=" in found.said


def test_two_packages_that_do_not_agree_are_worth_a_note(
    monkeypatch: pytest.MonkeyPatch, installed: dict[str, str | None]
) -> None:
    wants = {"torchvision": ["torch==99"]}
    monkeypatch.setattr(metadata, "requires", lambda of: wants.get(of) or REQUIRES(of))
    found = [one for one in versions.packages() if "torchvision" in one.said]
    assert found[-1].state == "note"
    assert "asks for torch==99; there is" in found[-1].said
    assert found[-1].mend == "pip install 'torch==99' torchvision"


def test_not_installed_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    def nothing(name: str) -> None:
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(metadata, "requires", nothing)
    monkeypatch.setattr(metadata, "metadata", nothing)
    (found,) = versions.packages()
    assert found.state == "fault"
    assert "pip install" in str(found.mend)
    assert versions.extras() == []


def test_extras_say_their_pip_line_where_they_are_missing(
    installed: dict[str, str | None],
) -> None:
    names = {one.what: one for one in versions.extras()}
    assert "extra dev" not in names
    assert names["extra dashboard"].state == "well"
    installed["dash"] = None
    missing = {one.what: one for one in versions.extras()}["extra dashboard"]
    assert (missing.state, missing.said) == ("note", "not installed: dash")
    assert "pip install 'mbnas[dashboard]'" in str(missing.mend)


def test_an_old_python_is_a_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platform, "python_version", lambda: "3.8.1")
    found = versions.python_version()
    assert found.state == "fault"
    assert "3.8.1, where mbnas needs >=3.11" in found.said
    assert found.mend
