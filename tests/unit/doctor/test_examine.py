from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from mbnas.doctor import Finding, cores, devices, examine, machine, versions
from mbnas.doctor.finding import first_line, gib, well


@pytest.fixture
def quickly(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leaves out what takes time and is looked at elsewhere."""
    monkeypatch.setattr(machine, "quiet", lambda: well("quiet", "not measured"))
    monkeypatch.setattr(machine, "load", lambda: well("load", "not watched"))


def named(found: list[Finding]) -> dict[str, Finding]:
    return {one.what: one for one in found}


@pytest.mark.usefixtures("quickly")
def test_a_check_that_breaks_is_a_fault_and_the_others_go_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def breaks() -> Finding:
        raise RuntimeError("postgresql://me:hidden-word@db is down\nand more")

    heard: list[str] = []
    monkeypatch.setattr(cores, "pinned", breaks)
    monkeypatch.setenv("MBNAS_STORAGE", "sqlite:///hidden-word@nothing")
    found = named(examine(storage="postgresql://me:hidden-word@[::1/nas", on_check=heard.append))
    assert found["cores"].state == "fault"
    assert "RuntimeError: postgresql://me:***@db is down" in found["cores"].said
    assert found["cores"].mend
    assert {"python", "locks", "engine"} <= set(found)
    assert heard == [
        *("packages", "devices", "cores", "memory and load", "quiet", "places"),
        *("storage", "engine"),
    ]
    assert all(one.mend for one in found.values() if one.state == "fault")


@pytest.mark.usefixtures("quickly")
def test_a_package_that_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def breaks() -> list[Finding]:
        raise ModuleNotFoundError("No module named 'torch'", name="torch")

    monkeypatch.setattr(devices, "devices", breaks)
    found = named(examine())["devices"]
    assert (found.said, found.mend) == ("package torch is missing", "pip install torch")


@pytest.mark.usefixtures("quickly")
def test_what_is_not_asked_for_is_not_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MBNAS_STORAGE", raising=False)
    assert not {"storage", "study", "data"} & set(named(examine()))
    monkeypatch.setenv("MBNAS_STORAGE", "nonsense")
    assert named(examine())["storage"].state == "fault"


@pytest.mark.usefixtures("quickly")
def test_data_without_a_study(tmp_path: Path) -> None:
    found = named(examine(data="digits"))
    assert "10 classes" in found["data"].said
    assert "at 224 px" in found["data's memory"].said
    found = named(examine(data=f"folder:{tmp_path}/none"))
    assert found["data"].state == "fault"
    assert found["data"].mend


def test_it_is_loaded_without_what_it_looks_for() -> None:
    program = "import sys, mbnas.doctor; print([m for m in ('torch', 'optuna', 'sqlalchemy',"
    program += " 'filelock', 'psutil', 'onnxruntime') if m in sys.modules])"
    result = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert result.stdout.strip() == "[]"


def test_words() -> None:
    assert (gib(3.4 * 2**30), gib(2**20)) == ("3.4 GiB", "1 MiB")
    assert first_line(ValueError("one\ntwo")) == "one"
    assert first_line(ValueError()) == "ValueError"
    assert versions.NAMED[0] == "torch"
