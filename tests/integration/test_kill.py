"""Real kills: SIGKILL in the middle of a trial, and Ctrl-C."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from helpers import ROOT
from integration.studies import fake_search

from mbnas.search import Trial, open_study
from mbnas.search.folder import StudyFolder
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


@pytest.mark.parametrize("kill", [signal.SIGKILL, signal.SIGINT], ids=["kill -9", "Ctrl-C"])
def test_nothing_is_lost_and_the_broken_trial_is_evaluated_again(
    kill: signal.Signals, tmp_path: Path
) -> None:
    study, marker = tmp_path / "study", tmp_path / "marker"
    killed = start(study, marker)
    wait_for(marker, killed)
    os.kill(killed.pid, kill)
    killed.communicate()
    before = open_study(study)
    database = before.folder.optuna_study(before.record.name, before.record.goals.quantities)
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
