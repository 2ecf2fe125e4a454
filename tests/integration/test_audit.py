"""An audit from the command line, on real digits: broken off, gone on with, reported."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pandas
import pytest
from helpers import ROOT, run_mbnas, tiny_space
from integration.studies import digits

import mbnas
from mbnas.errors import StudyError
from mbnas.training.recipe import Recipe
from mbnas.training.torch_trainer import TorchTrainer

NETWORKS = 4


@pytest.fixture(scope="module")
def command(tmp_path_factory: pytest.TempPathFactory) -> list[object]:
    root = tmp_path_factory.mktemp("audit")
    space = root / "tiny.toml"
    space.write_text(tiny_space().toml)
    return [
        *("audit", space, "--data", "digits", "--subset", 400, "--epochs", 3, "--schedules", 1),
        *("--networks", NETWORKS, "--twice", 3, "--device", "cpu", "--out", root / "audit"),
    ]


@pytest.fixture(scope="module")
def folder(command: list[object]) -> Path:
    return Path(str(command[-1]))


def ended(folder: Path) -> dict[str, float]:
    files = folder.glob("trainings/*/*.json")
    return {str(file.relative_to(folder)): file.stat().st_mtime for file in files}


def test_killed_it_goes_on_and_does_nothing_twice(command: list[object], folder: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "mbnas", *map(str, command)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    deadline = time.monotonic() + 240
    while len(ended(folder)) < 2:
        assert process.poll() is None, process.communicate()[0]
        assert time.monotonic() < deadline
        time.sleep(0.01)
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    before = ended(folder)
    result = run_mbnas(*command)
    assert result.returncode == 0, result.stderr
    after = ended(folder)
    assert len(after) == 2 * NETWORKS + 3
    assert {name: after[name] for name in before} == before
    assert not list(folder.glob("trainings/*/*.pt"))
    assert f"{len(before)} of them done before" in result.stdout


def test_its_figures_are_those_of_its_trainings(command: list[object], folder: Path) -> None:
    result = run_mbnas(*command)
    assert result.returncode == 0, result.stderr
    trainings = 2 * NETWORKS + 3
    assert f"{trainings} trainings, {trainings} of them done before" in result.stdout
    table = pandas.read_csv(folder / "audit.csv")
    assert set(table["kind"]) == {"cost", "schedule", "rung", "loss", "ceiling"}
    assert set(table["epochs"]) == {0, 1, 2, 3}
    full = [json.loads(file.read_text()) for file in (folder / "trainings" / "003").glob("*.json")]
    assert len(full) == NETWORKS + 3
    assert all(len(one["curve"]) == 3 for one in full)
    page = (folder / "audit.html").read_text()
    assert "Audit of a training recipe" in page
    assert "3 networks came to the end of both full trainings, too few" in page


def test_it_goes_on_with_more(command: list[object], folder: Path) -> None:
    before = ended(folder)
    more = ("--networks", NETWORKS + 1, "--twice", NETWORKS + 1, "--schedules", "1,2")
    result = run_mbnas(*command, *more)
    assert result.returncode == 0, result.stderr
    after = ended(folder)
    assert {name: after[name] for name in before} == before
    assert len(after) == 4 * (NETWORKS + 1)
    assert "5 networks came to the end of both full trainings" in result.stdout
    record = json.loads((folder / "audit.json").read_text())
    assert (record["networks"], record["twice"], record["schedules"]) == (5, 5, [1, 2])


def test_another_audit_is_not_mixed_in(command: list[object]) -> None:
    result = run_mbnas(*command, "--seed", 5)
    assert result.returncode == 1
    assert "holds an audit with another choice of images, another seed" in result.stderr


def test_from_python_with_a_trainer_of_ones_own(tmp_path: Path) -> None:
    data = digits()
    parts = [data.decode(part, 12) for part in ("train", "validation")]
    parts = [type(part)(part.images[:200], part.labels[:200]) for part in parts]
    recipe = Recipe(epochs=2, precision="float32")
    trainer = TorchTrainer(*parts, 10, recipe, flip=False, crop=True, device="cpu")
    plan = mbnas.AuditPlan(networks=4, twice=3)
    audit = mbnas.audit(
        tiny_space(), data, folder=tmp_path, recipe=recipe, plan=plan, trainer=trainer, pack=1
    )
    assert len(audit.networks) == 4
    assert audit.epochs == 2
    assert sum(one.again is not None for one in audit.networks) == 3
    assert mbnas.write_audit_report(audit, tmp_path, "tiny").read_text().startswith("<!DOCTYPE")
    with pytest.raises(StudyError, match="another recipe"):
        mbnas.audit(tiny_space(), data, folder=tmp_path, recipe=Recipe(epochs=3), plan=plan)
    file = tmp_path / "audit.json"
    file.write_text(file.read_text().replace('"seed"', '"sed"', 1))
    with pytest.raises(StudyError, match="damaged at"):
        mbnas.audit(tiny_space(), data, folder=tmp_path, recipe=recipe, plan=plan)
