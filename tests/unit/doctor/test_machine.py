from __future__ import annotations

import json
import posixpath
import subprocess
import sys
from pathlib import Path

import pytest

from mbnas.doctor import machine
from mbnas.doctor.apart import ApartError, apart
from mbnas.measure.host import this_host
from mbnas.measure.memory import cache_folder, remember_pace


def test_memory_too_small_for_a_search(monkeypatch: pytest.MonkeyPatch) -> None:
    states = []
    for free in (2**28, 2 * 2**30, 2**40):
        monkeypatch.setattr(machine, "available_bytes", lambda free=free: free)
        states.append(machine.memory().state)
    assert states == ["fault", "note", "well"]
    monkeypatch.setattr(machine, "available_bytes", lambda: 2**28)
    assert machine.memory().said.startswith("256 MiB of ")
    assert machine.memory().mend


def test_who_takes_the_cores_is_named() -> None:
    command = [sys.executable, "-c", "while True: pass"]
    with subprocess.Popen(command) as process:
        try:
            found = machine.load()
        finally:
            process.kill()
    assert found.state == "note"
    assert found.mend
    assert f"process {process.pid}" in found.said or "most of it" in found.said


def test_what_is_known_of_the_machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("MBNAS_CACHE", str(tmp_path))
    assert machine.known().state == "note"
    host = this_host().fingerprint
    remember_pace(host, 0.1, 1.0)
    (tmp_path / "calibrations").mkdir()
    (tmp_path / "calibrations" / f"space-1-10-{host}.json").touch()
    found = machine.known()
    assert found.state == "well"
    assert "1 calibration(s)" in found.said
    assert str(tmp_path) in found.said


def test_a_measurement_is_made_and_nothing_kept(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("MBNAS_CACHE", str(tmp_path / "cache"))
    found = machine.quiet()
    assert found.state in ("well", "note")
    assert "ms for a small network" in found.said or "no answer" in found.said
    assert not cache_folder().exists()


@pytest.mark.parametrize(
    ("told", "state"),
    [
        ({"noisy": False, "slowdown": 1.01}, "well"),
        ({"noisy": True, "slowdown": 1.01}, "note"),
        ({"noisy": False, "slowdown": 1.6}, "note"),
    ],
)
def test_a_disturbed_machine_is_worth_a_note(
    monkeypatch: pytest.MonkeyPatch, told: dict[str, float], state: str
) -> None:
    answer = {"latency_ms": 1.0, "p50_ms": 1.1, **told}
    monkeypatch.setattr(machine, "apart", lambda *_, **__: answer)
    assert machine.quiet().state == state


@pytest.mark.parametrize(
    ("reason", "state"), [("no answer within 10 s", "note"), ("MeasureError: no", "fault")]
)
def test_a_measurement_that_fails(monkeypatch: pytest.MonkeyPatch, reason: str, state: str) -> None:
    def fails(*_: object, **__: object) -> None:
        raise ApartError(reason)

    monkeypatch.setattr(machine, "apart", fails)
    assert machine.quiet().state == state
    assert machine.quiet().mend


def test_a_process_apart_says_what_became_of_it() -> None:
    assert apart(posixpath.basename, "/a/b", seconds=30) == "b"
    with pytest.raises(ApartError, match="JSONDecodeError: Expecting value"):
        apart(json.loads, "nonsense", seconds=30)
    with pytest.raises(ApartError, match="no answer within 1 s"):
        apart(subprocess.getoutput, "sleep 3", seconds=1)
