"""Real kills: SIGKILL in the middle of a trial, and Ctrl-C."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import psutil
import pytest
from engine_fakes import wait_until
from helpers import ROOT
from integration.storages import optuna_study
from integration.studies import fake_search

from mbnas.search import Trial, open_study
from mbnas.search.folder import CHECKPOINT, StudyFolder
from mbnas.search.steering import read_progress
from mbnas.search.storage import open_optuna_study
from mbnas.search.study import broken_off
from mbnas.testing import FakeTrainer

TRIALS = 12

# The fourth network to be trained says so and never ends, the first time.
SEARCH = f"""
import sys, time
sys.path.insert(0, "tests")
from pathlib import Path
from integration.studies import fake_search
from mbnas.testing import FakeTrainer

marker = Path(sys.argv[2])

def hang(architecture):
    if len(trainer.trained) == 3 and not marker.exists():
        marker.touch()
        time.sleep(3600)

trainer = FakeTrainer(before=hang)
fake_search(Path(sys.argv[1]), trainer=trainer).run(trials={TRIALS})
"""


def start(study: Path, marker: Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-c", SEARCH, str(study), str(marker)], cwd=ROOT, stderr=subprocess.PIPE
    )


def wait_for(marker: Path, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 120
    while not marker.exists():
        assert process.poll() is None, "the search ended before it could be killed"
        assert time.monotonic() < deadline
        time.sleep(0.01)


def wait_for_stop(study: Path) -> None:
    wait_until(lambda: (said := read_progress(study)) is not None and said.state == "stopping")


@pytest.mark.parametrize(
    "kills",
    [[signal.SIGKILL], [signal.SIGINT, signal.SIGINT], [signal.SIGTERM, signal.SIGINT]],
    ids=["kill -9", "Ctrl-C twice", "a cluster's notice, and Ctrl-C"],
)
def test_nothing_is_lost_and_the_broken_trial_is_evaluated_again(
    kills: list[signal.Signals], tmp_path: Path
) -> None:
    study, marker = tmp_path / "study", tmp_path / "marker"
    killed = start(study, marker)
    wait_for(marker, killed)
    for kill in kills[:-1]:
        os.kill(killed.pid, kill)
        wait_for_stop(study)  # two at once are one to the system
    os.kill(killed.pid, kills[-1])
    killed.communicate(timeout=120)
    before = open_study(study)
    database = optuna_study(before.folder)
    running = [frozen.number for frozen in broken_off(database)]
    assert len(running) == 1
    assert len(before.trials) == 3

    again = start(study, marker)
    assert again.communicate()[1] == b""
    assert again.returncode == 0
    after = open_study(study)
    unbroken = fake_search(tmp_path / "unbroken").run(trials=TRIALS)
    assert [trial.number for trial in after.trials] == [t.number for t in unbroken.trials]
    assert [t.architecture.id for t in after.trials] == [t.architecture.id for t in unbroken.trials]
    assert after.trials[: len(before.trials)] == before.trials
    assert after.trial(running[0]).status in ("trained", "reused")
    assert not broken_off(database)


def test_a_kill_between_the_files_and_optuna_repeats_no_training(tmp_path: Path) -> None:
    """What a trial left whole on disk is told to Optuna, not evaluated again."""

    class KilledError(Exception):
        """Stands for the kill."""

    class Fragile(StudyFolder):
        def write_trial(self, trial: Trial, *rest: Any) -> None:
            super().write_trial(trial, *rest)
            if trial.number == 4:
                raise KilledError

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("mbnas.search.search.StudyFolder", Fragile)
        with pytest.raises(KilledError):
            fake_search(tmp_path / "study").run(trials=6)
    trainer = FakeTrainer()
    study = fake_search(tmp_path / "study", trainer=trainer).run(trials=6)
    left_behind = study.trial(4).architecture.id
    assert left_behind not in trainer.trained
    assert [trial.number for trial in study.trials] == list(range(len(study.trials)))


SLOW = """
import sys
sys.path.insert(0, "tests")
from pathlib import Path
from integration.studies import fake_search
from mbnas.cli.progress import progress
from mbnas.testing import FakeTrainer

engine, pack = sys.argv[2], int(sys.argv[3])
if __name__ == "__main__":
    trainer = FakeTrainer(epochs=4000, seconds_per_epoch=0.05)
    search = fake_search(Path(sys.argv[1]), trainer=trainer, engine=engine, pack=pack)
    with progress(search) as observer:
        search.run(trials=30, observer=observer)
"""


@pytest.mark.parametrize(
    ("engine", "pack", "number"),
    [
        ("local", 1, signal.SIGINT),
        ("local", 2, signal.SIGINT),
        ("workers", 2, signal.SIGINT),
        ("workers", 2, signal.SIGHUP),
    ],
)
def test_ctrl_c_and_a_closing_terminal_let_trainings_end_their_epoch(
    engine: str, pack: int, number: signal.Signals, tmp_path: Path
) -> None:
    study, temporary = tmp_path / "study", tmp_path / "temporary"
    temporary.mkdir()
    script = tmp_path / "slow.py"
    script.write_text(SLOW)
    searching = subprocess.Popen(
        [sys.executable, str(script), str(study), engine, str(pack)],
        cwd=ROOT,
        env={**os.environ, "TMPDIR": str(temporary)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    folder = StudyFolder(study)
    wait_for_epochs(folder, 3, searching)
    shared = shared_memory(searching.pid)
    assert bool(shared) == (engine == "workers")
    os.killpg(searching.pid, number)  # as a terminal does
    said, errors = searching.communicate(timeout=120)
    assert errors.rstrip().endswith("KeyboardInterrupt")
    assert "leak" not in errors
    assert "interrupted: what is trained ends its epoch" in said
    assert not [file for file in shared if file.exists()]
    assert not list(temporary.glob("mbnas-workers-*"))
    progress = read_progress(study)
    assert progress is not None
    assert progress.state == "ended"
    database = open_optuna_study(folder, folder.read()[0])
    waiting = broken_off(database)
    assert waiting
    assert len(waiting) <= pack + 1
    assert any(folder.checkpoint(one.number).exists() for one in waiting)


def shared_memory(process: int) -> set[Path]:
    """What a process has of the memory that others see too."""
    maps = psutil.Process(process).memory_maps()
    return {Path(one.path) for one in maps if one.path.startswith("/dev/shm/psm_")}


def wait_for_epochs(folder: StudyFolder, epoch: int, process: subprocess.Popen[str]) -> None:
    """Waits until a trial has come so far."""
    deadline = time.monotonic() + 120
    while True:
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        with contextlib.suppress(OSError, ValueError, IndexError):
            checkpoint = next(folder.trials.glob(f"*/{CHECKPOINT}"), None)
            if checkpoint is not None and int(checkpoint.read_text().split()[1]) >= epoch:
                return
        time.sleep(0.01)
