"""Whether `mbnas doctor` finds what is wrong, in a real run and in studies that are damaged."""

from __future__ import annotations

import json
import re
import shutil
import socket
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from helpers import run_mbnas
from integration.conftest import RealStudy
from integration.studies import fake_search

from mbnas.cli import main
from mbnas.doctor import Finding, examine, machine
from mbnas.doctor.data import images
from mbnas.doctor.finding import well
from mbnas.doctor.study import whole_study
from mbnas.search import open_study

HOLDING = """\
import sys
from filelock import FileLock
with FileLock(sys.argv[1]):
    print("held", flush=True)
    sys.stdin.read()
"""


def named(found: list[Finding]) -> dict[str, Finding]:
    return {one.what: one for one in found}


def of_study(folder: Path, url: str | None = None) -> dict[str, Finding]:
    found = whole_study(folder, url)
    assert all(one.mend for one in found if one.state == "fault")
    return named(found)


def the_fault(folder: Path) -> Finding:
    (found,) = [one for one in of_study(folder).values() if one.state == "fault"]
    return found


@pytest.fixture(scope="module")
def fake_study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("fake") / "study"
    fake_search(folder).run(6)
    return folder


@pytest.fixture
def fake_copy(fake_study: Path, tmp_path: Path) -> Path:
    """A study of fakes that a test may damage."""
    shutil.copytree(fake_study, tmp_path / "study")
    return tmp_path / "study"


@contextmanager
def held(file: Path) -> Iterator[None]:
    """Another process holds a lock."""
    command = [sys.executable, "-c", HOLDING, str(file)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        try:
            yield
        finally:
            process.kill()


def test_a_real_run_says_a_line_for_each_check(real_study: RealStudy, tmp_path: Path) -> None:
    files = sorted(real_study.folder.rglob("*"))
    result = run_mbnas(
        *("doctor", real_study.folder, "--data", f"folder:{real_study.images}"),
        *("--storage", "postgresql://me:hidden-word@127.0.0.1:1/nas"),
    )
    assert result.returncode == 1, result.stderr  # no server is there
    lines = result.stdout.splitlines()
    states = {match[2]: match[1] for line in lines if (match := re.match(LINE, line))}
    assert {
        *("python", "packages", "torch on the CPU", "GPU", "cores", "governor", "pinning"),
        *("memory", "load", "known machine", "quiet", "disk", "writing", "locks", "SQLite"),
        *("core locks", "storage", "engine", "study", "front", "search", "study's host"),
        *("data", "data's memory"),
    } <= set(states)
    assert states["storage"] == "fault"
    assert states["study"] == states["front"] == states["search"] == states["data"] == "well"
    assert re.match(r"\d+ well, \d+ note, \d+ fault", lines[-1])
    for at, line in enumerate(lines):
        if line.startswith("fault"):
            assert lines[at + 1].strip().startswith("→ ")
    assert "hidden-word" not in result.stdout + result.stderr
    assert sorted(real_study.folder.rglob("*")) == files


LINE = r"(well|note|fault)\s+(.+?)  +\S"


def test_json_for_machines() -> None:
    result = run_mbnas("doctor", "--json", "--storage", "postgresql://me:hidden-word@[::/nas")
    told = json.loads(result.stdout)
    assert result.returncode == 1
    assert told["faults"] == sum(one["state"] == "fault" for one in told["findings"]) >= 1
    assert {"what", "state", "said", "mend"} == set(told["findings"][0])
    assert "hidden-word" not in result.stdout + result.stderr


def test_the_exit_code_says_whether_there_is_a_fault(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setattr(machine, "quiet", lambda: well("quiet", "not measured"))
    monkeypatch.setattr(machine, "memory", lambda: well("memory", "not looked at"))
    monkeypatch.chdir(tmp_path)
    assert main(["doctor"]) == 0
    out = capsys.readouterr().out
    assert "a search can run here" in out
    assert "fault  " not in out
    assert main(["doctor", str(tmp_path / "none")]) == 1
    assert "no such folder" in capsys.readouterr().out
    assert list(tmp_path.iterdir()) == []


def test_a_whole_study_is_well(study_copy: Path, fake_study: Path) -> None:
    found = of_study(study_copy)
    assert {one.state for one in found.values()} == {"well"}
    assert "all can be read" in found["study"].said
    fakes = of_study(fake_study)
    assert fakes["front"].state == "note", "fakes have no weights"
    assert {one.state for what, one in fakes.items() if what != "front"} == {"well"}


def test_no_study_at_all(tmp_path: Path) -> None:
    assert "no such folder" in the_fault(tmp_path / "none").said
    assert "not a study" in the_fault(tmp_path).said
    (tmp_path / "study.json").write_text("{}")
    assert "damaged" in the_fault(tmp_path).said


def test_damaged_trials_are_named(fake_copy: Path) -> None:
    (fake_copy / "trials" / "00002" / "result.json").write_text('{"number": 2')
    (fake_copy / "trials" / "00003" / "result.json").write_text("[]")
    found = the_fault(fake_copy)
    assert "00002/result.json: damaged" in found.said
    assert found.said.endswith("and 1 more trials")


@pytest.mark.parametrize("name", ["weights.safetensors", "model.onnx"])
def test_a_front_without_its_files(study_copy: Path, name: str) -> None:
    study = open_study(study_copy)
    file = study_copy / "trials" / study.front[0].name / name
    if name == "weights.safetensors":
        file.write_bytes(file.read_bytes()[:100])
        assert f"{file}: damaged" in the_fault(study_copy).said
    file.unlink()
    found = the_fault(study_copy)
    assert (found.what, found.said.startswith(f"{file}: missing")) == ("front", True)


def test_a_database_that_knows_other_trials(fake_copy: Path) -> None:
    shutil.rmtree(fake_copy / "trials" / "00004")
    found = the_fault(fake_copy)
    assert found.what == "database"
    assert "6 finished trials, where trials/ has 5" in found.said
    with closing(sqlite3.connect(fake_copy / "study.db")) as database, database:
        database.execute("UPDATE trials SET state = 'RUNNING' WHERE number > 3")
    fewer = of_study(fake_copy)["database"]
    assert fewer.state == "note", "as a kill leaves it; the next search takes it up"
    assert "4 finished trials, where trials/ has 5" in fewer.said


def test_a_database_that_is_gone_or_damaged_or_elsewhere(fake_copy: Path) -> None:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        url = f"postgresql://me:hidden-word@127.0.0.1:{listening.getsockname()[1]}/nas"
    away = of_study(fake_copy, url)["database"]
    assert away.state == "fault"
    assert "hidden-word" not in str(away)
    (fake_copy / "study.db").write_bytes(b"no database" * 100)
    assert "cannot be read" in the_fault(fake_copy).said
    (fake_copy / "study.db").unlink()
    missing = of_study(fake_copy)["database"]
    assert (missing.state, missing.said.endswith("study.db: missing")) == ("note", True)
    assert "anew from trials/" in str(missing.mend)
    assert not (fake_copy / "study.db").exists()


def test_a_study_held_by_a_second_process(fake_copy: Path) -> None:
    with held(fake_copy / ".lock"):
        found = of_study(fake_copy)["search"]
    assert found.state == "note"
    assert "held by a process" in found.said
    assert of_study(fake_copy)["search"].state == "well"


def test_a_search_that_runs_and_one_that_was_broken_off(fake_copy: Path) -> None:
    file = fake_copy / "progress.json"
    progress = json.loads(file.read_text())
    file.write_text(json.dumps({**progress, "state": "searching", "pid": 2**22 + 1}))
    found = of_study(fake_copy)["search"]
    assert found.state == "note"
    assert "was broken off, at 6 evaluated trials" in found.said
    file.write_text(json.dumps({**progress, "state": "searching"}))  # this process, alive
    assert "its lock is not seen here" in of_study(fake_copy)["search"].said
    with held(fake_copy / ".lock"):
        found = of_study(fake_copy)["search"]
    assert found.state == "well"
    assert f"process {progress['pid']} on {progress['host']}: searching" in found.said
    file.write_text("{")
    assert the_fault(fake_copy).what == "search"


def test_a_study_of_another_machine(fake_copy: Path) -> None:
    file = fake_copy / "study.json"
    record = json.loads(file.read_text())
    file.write_text(json.dumps({**record, "versions": {**record["versions"], "torch": "1.0"}}))
    assert "torch 1.0 there" in of_study(fake_copy)["study's host"].said
    record["host"]["onnxruntime"] = "1.0"
    file.write_text(json.dumps(record))
    found = of_study(fake_copy)["study's host"]
    assert found.state == "note"
    assert "onnxruntime 1.0 there" in found.said
    assert "pip install onnxruntime==1.0" in str(found.mend)
    record["host"]["cpu"] = "Abacus"
    file.write_text(json.dumps(record))
    assert "processor Abacus there" in of_study(fake_copy)["study's host"].said


def test_images_of_a_study(study_copy: Path, real_study: RealStudy, tmp_path: Path) -> None:
    found = images(f"folder:{real_study.images}", study_copy)
    assert [one.state for one in found] == ["well", "well"]
    assert "at 12 px" in found[1].said
    (other,) = [one for one in images("digits", study_copy) if one.state == "fault"]
    assert "not the images that the study was made of" in other.said
    copy = tmp_path / "images"
    shutil.copytree(real_study.images, copy)
    for file in copy.rglob("*.png"):
        file.write_bytes(file.read_bytes()[:60])
    broken = images(f"folder:{copy}", None)[0]
    assert broken.state == "fault"
    assert broken.mend


def test_from_python(fake_study: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "quiet", lambda: well("quiet", "not measured"))
    found = named(examine(str(fake_study)))
    assert found["database"].said.endswith("6 finished trials, as in trials/")
