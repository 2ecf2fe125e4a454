"""Databases and files of a study that say different things."""

from __future__ import annotations

import random
import shutil
from pathlib import Path
from typing import Any

import pytest
from helpers import tiny_space
from integration.storages import optuna_study, told
from integration.studies import fake_search
from optuna.trial import TrialState

from mbnas.errors import StudyError
from mbnas.network import reference
from mbnas.search import Limit, Observer, Search, Snapshot, Study, Trial, open_study
from mbnas.search.folder import StudyFolder
from mbnas.search.recovery import recover
from mbnas.search.stopping import Stop
from mbnas.testing import FakeTrainer
from mbnas.training.recipe import Recipe

TRIALS = 12


class StopsSome:
    """Gives up half of all networks, at their rung."""

    def before_training(self, trial: Trial, finished: Any) -> Stop | None:
        return None

    def at_rung(self, trial: Trial, finished: Any) -> Stop | None:
        return Stop("unlucky", 0.5) if int(trial.architecture.id, 16) % 2 else None


def search(folder: Path, **changes: Any) -> Search:
    """One in which trials come to every kind of end."""
    space = tiny_space()
    settings: dict[str, Any] = {
        "sampler": "random",
        "recipe": Recipe(epochs=4, rungs=(2,)),
        "trainer": FakeTrainer(epochs=4),
        "limits": [Limit("params", 6_000)],
        "stopping": StopsSome(),
        "warm_start": True,
        "start": {
            "mine": space.architecture(space.sample(random.Random(1))),
            "published": reference("mobilenet_v2", 12, small=True),
        },
        **changes,
    }
    return fake_search(folder, space=space, **settings)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Study:
    """A study, and beside it a copy of its database as it was after five trials."""
    folder = tmp_path_factory.mktemp("made") / "study"

    class Copying(Observer):
        def trial_ended(self, trial: Trial, snapshot: Snapshot) -> None:
            if trial.number == 4:
                for side in ("", "-wal"):
                    shutil.copy(folder / f"study.db{side}", folder.parent / f"early.db{side}")

    study = search(folder).run(TRIALS, observer=Copying())
    assert {trial.status for trial in study.trials} >= {"trained", "stopped", "untrained"}
    return study


@pytest.fixture
def damaged(made: Study, tmp_path: Path) -> StudyFolder:
    """A copy that a test may damage."""
    shutil.copytree(made.folder.path, tmp_path / "study")
    return StudyFolder(tmp_path / "study")


def drop_database(folder: StudyFolder) -> None:
    for side in ("", "-wal", "-shm"):
        Path(f"{folder.database}{side}").unlink(missing_ok=True)


def go_on(folder: StudyFolder, trials: int = TRIALS) -> list[str]:
    """Goes on; gives the networks that had to be trained."""
    trainer = FakeTrainer(epochs=4)
    search(folder.path, trainer=trainer).run(trials)
    return trainer.trained


def test_a_lost_database_is_made_anew(made: Study, damaged: StudyFolder) -> None:
    drop_database(damaged)
    assert open_study(damaged.path).trials == made.trials
    assert not go_on(damaged)
    assert told(damaged) == told(made.folder)
    assert open_study(damaged.path).trials == made.trials


def test_a_database_put_back_to_an_earlier_copy_catches_up(
    made: Study, damaged: StudyFolder
) -> None:
    drop_database(damaged)
    for side in ("", "-wal"):
        early = made.folder.path.parent / f"early.db{side}"
        shutil.copy(early, f"{damaged.database}{side}")
    assert len(told(damaged)) < len(made.trials)
    assert not go_on(damaged)
    assert told(damaged) == told(made.folder)


def test_a_malformed_database_is_moved_aside_by_hand(made: Study, damaged: StudyFolder) -> None:
    drop_database(damaged)
    damaged.database.write_bytes(b"no database at all" * 100)
    with pytest.raises(StudyError, match=r"study\.db: not a study of Optuna's .*move it aside"):
        go_on(damaged)
    damaged.database.rename(damaged.path / "broken.db")
    assert not go_on(damaged)
    assert told(damaged) == told(made.folder)


def test_a_log_of_a_lost_database_is_not_taken_up(made: Study, damaged: StudyFolder) -> None:
    shutil.copy(made.folder.path.parent / "early.db-wal", f"{damaged.database}-wal")
    damaged.database.unlink()
    assert not go_on(damaged)
    assert told(damaged) == told(made.folder)


@pytest.mark.parametrize("damage", ["missing", "half", "other"])
def test_files_of_what_the_database_has_are_written_again(
    damage: str, made: Study, damaged: StudyFolder
) -> None:
    file = damaged.result_file(5)
    if damage == "missing":
        shutil.rmtree(file.parent)
    else:
        text = file.read_text()
        file.write_text(text[:100] if damage == "half" else text.replace('"number": 5', '"n": 5'))
    record, space = damaged.read()
    study = optuna_study(damaged)
    assert recover(study, damaged, record, space) == 1
    assert recover(study, damaged, record, space) == 0
    assert open_study(damaged.path).trials == made.trials
    assert (file.parent / "architecture.json").exists()


def test_what_neither_has_is_evaluated_again(made: Study, damaged: StudyFolder) -> None:
    drop_database(damaged)
    trained = [trial for trial in made.trials if trial.status == "trained"]
    lost, torn = trained[1].number, trained[2].number
    shutil.rmtree(damaged.trial_folder(lost))
    damaged.result_file(torn).write_text("{")
    again = go_on(damaged)
    assert 1 <= len(again) <= 4
    after = open_study(damaged.path)
    assert [trial.number for trial in after.trials][: len(made.trials)] == [
        trial.number for trial in made.trials
    ]
    kept = [trial for trial in made.trials if trial.number not in (lost, torn)]
    assert [after.trial(trial.number) for trial in kept if trial.reused_from is None] == [
        trial for trial in kept if trial.reused_from is None
    ]
    assert damaged.result_file(torn).with_name("result.json.aside").read_text() == "{"
    assert all(row["state"].is_finished() for row in told(damaged))


def test_a_repeat_of_what_is_lost_is_not_believed(damaged: StudyFolder, made: Study) -> None:
    source = next(trial for trial in made.trials if trial.status == "stopped")
    repeat = source.as_reused(len(made.trials))
    damaged.write_trial(repeat, {}, None)
    drop_database(damaged)
    shutil.rmtree(damaged.trial_folder(source.number))
    record, space = damaged.read()
    study = optuna_study(damaged)
    assert recover(study, damaged, record, space) == len(made.trials) + 1
    assert not damaged.result_file(repeat.number).exists()
    assert {trial.state for trial in study.get_trials()} == {TrialState.RUNNING}
    assert study.get_trials()[repeat.number].params == {}


def test_a_waiting_or_bare_trial_with_a_result_gets_what_it_lacks(
    made: Study, damaged: StudyFolder
) -> None:
    drop_database(damaged)
    study = optuna_study(damaged)
    study.enqueue_trial({})
    study.ask()
    study.enqueue_trial({})
    record, space = damaged.read()
    recover(study, damaged, record, space)
    trials = study.get_trials()
    assert [trial.number for trial in trials] == list(range(len(made.trials)))
    assert {trial.state for trial in trials} == {TrialState.RUNNING}
    assert [trial.params for trial in trials] == [trial.params for trial in made.trials]


def test_a_folder_that_no_trial_made_is_refused(damaged: StudyFolder) -> None:
    (damaged.trials / "123456").mkdir()
    record, space = damaged.read()
    with pytest.raises(StudyError, match=r"trials/123456: far beyond all other trials"):
        recover(optuna_study(damaged), damaged, record, space)


def test_weights_of_what_is_not_told_yet_are_kept(tmp_path: Path, made: Study) -> None:
    """Pruning meets a front that grows again from its first trial on."""
    folder = StudyFolder(tmp_path / "study")
    for number in range(30):
        files = folder.trial_folder(number)
        files.mkdir(parents=True)
        (files / "weights.safetensors").write_bytes(b"w")
        (files / ".model.onnx.4711").write_bytes(b"m")
    folder.prune([2], latest=15)
    assert [n for n in range(30) if folder.weights_file(n).exists()] == [2, *range(6, 30)]
    assert [n for n in range(30) if (folder.trial_folder(n) / ".model.onnx.4711").exists()] == [2]
    folder.prune([2, 20], latest=29)
    folder.prune([2, 20], latest=16)
    assert [n for n in range(30) if folder.weights_file(n).exists()] == [2, *range(20, 30)]


def test_generations_go_on_from_a_database_made_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mbnas.search.samplers.POPULATION_SIZE", 4)
    unbroken = search(tmp_path / "unbroken", sampler="nsga2").run(14)
    broken = search(tmp_path / "broken", sampler="nsga2").run(10)
    drop_database(broken.folder)
    after = search(broken.folder.path, sampler="nsga2").run(14)
    assert [trial.params for trial in after.trials] == [trial.params for trial in unbroken.trials]
