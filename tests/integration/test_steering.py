"""Searches that are paused, resumed and stopped from outside while they run."""

from __future__ import annotations

import contextlib
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from pathlib import Path

import pytest
from engine_fakes import wait_until
from helpers import ROOT, run_mbnas, some_architectures, tiny_space
from integration.storages import optuna_study
from integration.studies import fake_search

from mbnas.cli import main
from mbnas.errors import StudyError
from mbnas.network import Architecture
from mbnas.search import (
    Found,
    Observer,
    Progress,
    Snapshot,
    Study,
    Trial,
    open_study,
    pause_search,
    read_progress,
    resume_search,
    stop_search,
)
from mbnas.search.steered import Steering
from mbnas.search.study import broken_off
from mbnas.testing import FakeLatencyMeter, FakeTrainer
from mbnas.training.recipe import Recipe

Begin = Callable[[Callable[[], Study]], Future[Study]]
TRIALS = 8
RESTS = 3
"""So often a paused driver must have looked at what is to be done before it is believed."""


def progress_of(folder: Path) -> Progress:
    progress = read_progress(folder)
    assert progress is not None
    return progress


def has_come_to(folder: Path, state: str) -> Callable[[], bool]:
    return lambda: progress_of(folder).state == state


@contextlib.contextmanager
def running(command: list[str]) -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


class Listening(Observer):
    """Writes down what it hears of steering."""

    def __init__(self) -> None:
        self.heard: list[str] = []

    def search_paused(self) -> None:
        self.heard.append("paused")

    def search_resumed(self) -> None:
        self.heard.append("resumed")

    def search_stopped(self) -> None:
        self.heard.append("stopped")


@pytest.fixture
def rests(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """One entry for each moment that a paused driver has waited."""
    moments: list[float] = []
    rest = Steering.rest

    def noted(steering: Steering) -> None:
        rest(steering)
        moments.append(time.monotonic())

    monkeypatch.setattr(Steering, "rest", noted)
    return moments


@pytest.fixture
def begin() -> Begin:
    """Runs a search in a thread that does not outlive the tests, whatever state it is left in."""

    def in_thread(run: Callable[[], Study]) -> Future[Study]:
        future: Future[Study] = Future()

        def work() -> None:
            try:
                future.set_result(run())
            except BaseException as error:  # noqa: BLE001
                future.set_exception(error)

        threading.Thread(target=work, daemon=True).start()
        return future

    return in_thread


def rested(rests: list[float]) -> None:
    """Waits until the driver has had the chance to begin something, and has not."""
    before = len(rests)
    wait_until(lambda: len(rests) >= before + RESTS)


def test_paused_it_begins_nothing_and_resumed_it_comes_to_its_end(
    tmp_path: Path, rests: list[float], begin: Begin
) -> None:
    folder, blocked, released = tmp_path / "study", threading.Event(), threading.Event()

    def block(_: Architecture) -> None:
        if len(trainer.trained) == 2:
            blocked.set()
            assert released.wait(120)

    trainer, meter, observer = FakeTrainer(before=block), FakeLatencyMeter(), Listening()
    recipe = Recipe(epochs=3, rungs=(3,))  # none on the way
    search = fake_search(folder, trainer=trainer, meter=meter, recipe=recipe)
    running = begin(lambda: search.run(TRIALS, observer=observer))
    assert blocked.wait(120)

    def in_evaluation() -> list[tuple[int, int | None, int]]:
        return [(one.number, one.epoch, one.epochs) for one in progress_of(folder).in_evaluation]

    wait_until(lambda: in_evaluation() == [(2, 0, 3)])  # it may still tell of an earlier trial
    pause_search(folder)
    wait_until(has_come_to(folder, "paused"))  # said in the middle of a training
    released.set()
    rested(rests)
    wait_until(lambda: progress_of(folder).evaluated == 3)
    assert len(trainer.trained) == 3, "what was being trained went on to its end"
    measured = len(meter.measured)
    asked = len(list((folder / "trials").iterdir()))
    rested(rests)
    assert (len(meter.measured), len(trainer.trained)) == (measured, 3)
    assert len(list((folder / "trials").iterdir())) == asked
    said = progress_of(folder)
    assert said.is_alive
    assert said.in_evaluation == ()
    assert not running.done()
    resume_search(folder)
    study = running.result(120)
    assert len(trainer.trained) == TRIALS
    assert observer.heard == ["paused", "resumed"]
    ended = progress_of(folder)
    assert (ended.state, ended.evaluated, ended.trials) == ("ended", TRIALS, TRIALS)
    assert not ended.is_alive
    assert not (folder / "wish.json").exists()
    unbroken = fake_search(tmp_path / "unbroken").run(TRIALS)
    assert [t.architecture.id for t in study.trials] == [t.architecture.id for t in unbroken.trials]


def test_several_trainings_come_to_their_next_rung_and_wait_there(
    tmp_path: Path, rests: list[float], begin: Begin
) -> None:
    folder, released = tmp_path / "study", threading.Event()
    trainer = FakeTrainer(epochs=3, before=lambda _: released.wait(120) and None)
    search = fake_search(folder, trainer=trainer, recipe=Recipe(epochs=3, rungs=(2,)), pack=2)
    running = begin(lambda: search.run(TRIALS))

    def epochs() -> list[int | None]:
        progress = read_progress(folder)
        return [] if progress is None else [one.epoch for one in progress.in_evaluation]

    wait_until(lambda: epochs() == [0, 0, 0])  # two, and one in line for the next free place
    pause_search(folder)
    wait_until(has_come_to(folder, "paused"))
    released.set()
    rested(rests)
    wait_until(lambda: epochs() == [2, 2, 2])
    assert not trainer.trained
    resume_search(folder)
    assert len([t for t in running.result(120).trials if t.status == "trained"]) == TRIALS


class Clock:
    """Goes on by a second where the driver rests, and where a test says so."""

    def __init__(self) -> None:
        self.now = 0.0

    def monotonic(self) -> float:
        return self.now

    def sleep(self, _: float) -> None:
        time.sleep(0.01)
        self.now += 1


def test_waiting_while_paused_takes_nothing_from_the_time(
    tmp_path: Path, rests: list[float], begin: Begin, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, seconds, clock = tmp_path / "study", 3.0, Clock()
    monkeypatch.setattr("mbnas.search.steered.time", clock)

    class Pausing(Observer):
        def search_began(self, found: Found, snapshot: Snapshot) -> None:
            pause_search(folder)
            wait_until(has_come_to(folder, "paused"))

        def trial_ended(self, trial: Trial, snapshot: Snapshot) -> None:
            clock.now += 1

    trainer = FakeTrainer()
    running = begin(lambda: fake_search(folder, trainer=trainer).run(None, seconds, Pausing()))
    wait_until(lambda: len(rests) > 2 * seconds)
    assert not trainer.trained
    resume_search(folder)
    assert [trial.status for trial in running.result(120).trials] == ["trained"] * 3
    assert progress_of(folder).elapsed == seconds


def stopping(folder: Path, after: int) -> FakeTrainer:
    """A trainer in whose middle a stop is wished."""

    def stop(_: Architecture) -> None:
        if len(trainer.trained) == after:
            stop_search(folder)
            wait_until(has_come_to(folder, "stopping"))
            with pytest.raises(StudyError, match="the search is stopping"):
                resume_search(folder)

    trainer = FakeTrainer(before=stop)
    return trainer


def test_stopped_it_ends_soon_and_the_same_search_goes_on(tmp_path: Path) -> None:
    folder, observer = tmp_path / "study", Listening()
    stopped = fake_search(folder, trainer=stopping(folder, 3)).run(TRIALS, observer=observer)
    assert [trial.status for trial in stopped.trials] == ["trained"] * 4
    assert observer.heard == ["stopped"]
    assert progress_of(folder).state == "ended"
    whole = fake_search(folder).run(TRIALS)
    assert whole.trials[:4] == stopped.trials
    unbroken = fake_search(tmp_path / "unbroken").run(TRIALS)
    assert [t.architecture.id for t in whole.trials] == [t.architecture.id for t in unbroken.trials]


def test_stopped_it_ends_whatever_is_in_line(tmp_path: Path) -> None:
    folder = tmp_path / "study"
    start = {f"mine {n}": one for n, one in enumerate(some_architectures(tiny_space(), 3))}
    search = fake_search(folder, trainer=stopping(folder, 0), start=start)
    assert [trial.start for trial in search.run(TRIALS).trials] == ["mine 0"]
    assert len(fake_search(folder, start=start).run(TRIALS).trials) >= TRIALS


def test_stopped_it_leaves_what_was_broken_off_for_later(tmp_path: Path) -> None:
    folder = tmp_path / "study"

    def break_down(_: Architecture) -> None:
        raise ZeroDivisionError

    class StopsAtOnce(Observer):
        def search_began(self, found: Found, snapshot: Snapshot) -> None:
            assert found.broken_off == 1
            stop_search(folder)
            wait_until(has_come_to(folder, "stopping"))

        def trial_ended(self, trial: Trial, snapshot: Snapshot) -> None:
            raise AssertionError("nothing was to begin")

    with pytest.raises(ZeroDivisionError):
        fake_search(folder, trainer=FakeTrainer(before=break_down)).run(TRIALS)
    assert progress_of(folder).state == "ended"
    study = fake_search(folder).run(TRIALS, observer=StopsAtOnce())
    database = optuna_study(study.folder)
    assert len(broken_off(database)) == 1
    assert len(fake_search(folder).run(TRIALS).trials) >= TRIALS
    assert not broken_off(database)


def test_a_wish_from_before_is_none_of_this_search(tmp_path: Path) -> None:
    folder = tmp_path / "study"
    fake_search(folder).run(2)
    (folder / "wish.json").write_text('{"wish": "stop"}')
    (folder / ".progress.json.4711").touch()
    fake_search(folder, trainer=FakeTrainer(seconds_per_epoch=0.1)).run(TRIALS)
    assert progress_of(folder).evaluated == TRIALS
    assert not list(folder.glob("*wish.json*")) + list(folder.glob(".progress.json*"))


# The third network to be trained never ends.
HANGING = """
import sys, time
sys.path.insert(0, "tests")
from pathlib import Path
from integration.studies import fake_search
from mbnas.testing import FakeTrainer

def hang(architecture):
    if len(trainer.trained) == 2:
        time.sleep(3600)

trainer = FakeTrainer(before=hang)
fake_search(Path(sys.argv[1]), trainer=trainer).run(trials=8)
"""


def test_a_killed_search_is_seen_to_be_dead(tmp_path: Path) -> None:
    folder = tmp_path / "study"
    with running([sys.executable, "-c", HANGING, str(folder)]) as killed:
        wait_until(lambda: read_progress(folder) is not None)
        wait_until(lambda: progress_of(folder).evaluated == 2)
        assert progress_of(folder).is_alive
        assert progress_of(folder).pid == killed.pid
        pause_search(folder)
        killed.kill()
        wait_until(lambda: not progress_of(folder).is_alive)  # a zombie as yet
    assert not progress_of(folder).is_alive
    for steer in (pause_search, resume_search, stop_search):
        with pytest.raises(StudyError, match="no search is running on it; start one with"):
            steer(folder)
    fake_search(folder).run(TRIALS)  # though a pause was wished
    assert progress_of(folder).evaluated == TRIALS


def test_steering_what_is_not_searched_is_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "study"
    fake_search(folder).run(1)
    assert main(["steer", str(folder), "pause"]) == 1
    said = capsys.readouterr().err
    assert said == f"mbnas: {folder}: no search is running on it; start one with: mbnas search\n"
    (folder / "progress.json").write_text("{")
    assert main(["steer", str(folder), "stop"]) == 1
    assert "progress.json: damaged at its text" in capsys.readouterr().err
    with pytest.raises(SystemExit) as usage:
        main(["steer", str(folder), "paus"])
    assert usage.value.code == 2


def test_ctrl_c_ends_a_pause(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "study"

    def interrupted(_: Steering) -> None:
        raise KeyboardInterrupt

    class Pausing(Observer):
        def trial_ended(self, trial: Trial, snapshot: Snapshot) -> None:
            if trial.number == 2:
                pause_search(folder)
                wait_until(has_come_to(folder, "paused"))

    with monkeypatch.context() as patch:
        patch.setattr(Steering, "rest", interrupted)
        with pytest.raises(KeyboardInterrupt):
            fake_search(folder).run(TRIALS, observer=Pausing())
    assert len(open_study(folder).trials) == 3
    assert progress_of(folder).state == "ended"
    fake_search(folder).run(TRIALS)
    assert progress_of(folder).evaluated == TRIALS


def test_the_verb_steers_a_real_search(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "study"
    command = [
        *(sys.executable, "-m", "mbnas", "search", "digits_tiny", "--data", "digits"),
        *("--trials", "500", "--epochs", "1", "--device", "cpu", "--study", str(folder)),
    ]
    with running(command) as search:
        wait_until(lambda: read_progress(folder) is not None)
        result = run_mbnas("steer", folder, "pause")
        assert result.returncode == 0, result.stderr
        assert result.stdout.startswith(f"{folder}: the search will pause")
        assert result.stdout.count("\n") == 1
        assert search.stdout is not None
        assert any(line.startswith("paused: nothing new begins") for line in search.stdout)
        assert main(["steer", str(folder), "resume"]) == 0
        assert any(line.startswith("resumed: the search") for line in search.stdout)
        assert main(["steer", str(folder), "stop"]) == 0
        assert "the search will end" in capsys.readouterr().out
        output, _ = search.communicate(timeout=240)
    assert search.returncode == 0
    assert "stopping: no new network begins" in output
    assert f"export:  mbnas export {folder}" in output
    assert progress_of(folder).state == "ended"
    assert 0 < len(open_study(folder).trials) < 500
