"""A storage whose server is away for a while, or whose answers are lost."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import optuna
import pytest
from optuna.exceptions import StorageInternalError
from optuna.storages import RDBStorage
from optuna.trial import TrialState
from sqlalchemy.exc import DataError, OperationalError

from mbnas.errors import StudyError
from mbnas.search import patient
from mbnas.search.database_faults import told
from mbnas.search.patient import PatientStorage, gathered


@pytest.fixture
def storage(tmp_path: Path) -> PatientStorage:
    """A database that is waited for."""
    return PatientStorage(f"sqlite:///{tmp_path / 'some.db'}", "some.db", {}, patience_seconds=60)


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The seconds that were waited, without any wait."""
    waited: list[float] = []
    monkeypatch.setattr(patient.time, "sleep", waited.append)
    return waited


def away() -> StorageInternalError:
    """What Optuna makes of a server that has gone."""
    error = StorageInternalError("something is wrong")
    error.__cause__ = OperationalError("SELECT 1", {}, Exception("connection refused"))
    return error


def answers_lost(
    monkeypatch: pytest.MonkeyPatch, name: str, times: int = 1, done: bool = True
) -> None:
    """Lets an operation of Optuna's be carried out, or not, and its answer be lost."""
    method: Callable[..., Any] = getattr(RDBStorage, name)
    left = [times]

    def lost(self: RDBStorage, *arguments: Any) -> Any:
        if left[0] == 0:
            return method(self, *arguments)
        left[0] -= 1
        if done:
            method(self, *arguments)
        raise away()

    monkeypatch.setattr(RDBStorage, name, lost)


def new_study(storage: PatientStorage) -> optuna.Study:
    return optuna.create_study(storage=storage, directions=["maximize", "minimize"])


@pytest.mark.parametrize("done", [True, False], ids=["carried out", "not carried out"])
def test_a_trial_is_made_once_and_told_once(
    done: bool, storage: PatientStorage, waits: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    study = new_study(storage)
    answers_lost(monkeypatch, "_create_new_trial", times=2, done=done)
    answers_lost(monkeypatch, "set_trial_state_values", times=2, done=done)
    for number in range(2):
        asked = study.ask()
        asked.suggest_categorical("x", [1, 2])
        study.tell(asked, [0.5, float("inf")])
        assert asked.number == number
    trials = study.get_trials()
    assert [trial.state for trial in trials] == [TrialState.COMPLETE] * 2
    assert [trial.values for trial in trials] == [[0.5, float("inf")]] * 2
    assert len(waits) == 4


def test_a_trial_that_waits_is_taken_once(
    storage: PatientStorage, waits: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    study = new_study(storage)
    study.enqueue_trial({"x": 2})
    answers_lost(monkeypatch, "set_trial_state_values")
    assert study.ask().number == 0
    assert len(waits) == 1


def test_optunas_own_repetition_makes_no_second_trial(
    storage: PatientStorage, waits: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    study = new_study(storage)
    answers_lost(monkeypatch, "_get_prepared_new_trial", times=1, done=False)
    assert study.ask().number == 0
    assert study.ask().number == 1
    assert len(study.get_trials()) == 2


def test_patience_ends_with_one_line(storage: PatientStorage, waits: list[float]) -> None:
    def refused() -> None:
        raise away()

    storage.patience_seconds = 0
    with pytest.raises(StudyError, match=r"some\.db: cannot be reached .*refused.*goes on$"):
        storage.repeated(refused)
    assert not waits


def test_what_no_waiting_mends_is_not_waited_for(
    storage: PatientStorage, waits: list[float]
) -> None:
    def refused() -> None:
        raise DataError("SELECT 1", {}, Exception("too long"))

    with pytest.raises(StudyError, match=r"some\.db: .*too long"):
        storage.repeated(refused)
    assert not waits


def mark(study: optuna.Study, asked: optuna.Trial) -> None:
    asked.suggest_categorical("x", [1, 2])
    asked.set_user_attr("a", 1)
    asked.set_constraint("b", -0.5)
    study._storage.set_study_system_attr(study._study_id, "c", "d")


def marks(study: optuna.Study) -> tuple[object, ...]:
    storage = study._storage
    trial = storage.get_all_trials(study._study_id)[0]
    attributes = storage.get_study_system_attrs(study._study_id).get("c")
    return list(trial.params), trial.user_attrs, trial.constraints, attributes


MARKS = (["x"], {"a": 1}, {"b": -0.5}, "d")
NO_MARKS: tuple[object, ...] = ([], {}, {}, None)


def test_what_is_gathered_is_written_together(
    storage: PatientStorage, waits: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    study = new_study(storage)
    asked = study.ask()
    answers_lost(monkeypatch, "_set_trial_attr_without_commit")
    with gathered(study, attributes=True):
        mark(study, asked)
        assert marks(study) == NO_MARKS
    assert marks(study) == MARKS
    assert len(waits) == 1
    asked.set_user_attr("a", 1)  # as it comes, and twice as good as once
    assert marks(study) == MARKS


def test_what_is_gathered_when_it_breaks_off_is_not_written(storage: PatientStorage) -> None:
    study = new_study(storage)
    asked = study.ask()

    def broken_off() -> None:
        with gathered(study, attributes=True):
            mark(study, asked)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        broken_off()
    assert marks(study) == NO_MARKS
    with gathered(study, attributes=False):
        asked.set_user_attr("a", 1)
        assert marks(study)[1] == {"a": 1}


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("database disk image is malformed", "move it aside"),
        ("database or disk is full", "make room"),
        ("database is locked", "held by another program"),
        ("attempt to write a readonly database", "cannot be written"),
        ('FATAL: database "nas" does not exist', "createdb"),
        ("permission denied for schema public", "grant it CREATE"),
        ("sorry, too many clients already", "no connection left"),
        ("disk I/O error", "see to its disk"),
        ("something\nnobody knows", "x.db: failed (something nobody knows)"),
    ],
)
def test_faults_have_their_mends(said: str, meant: str) -> None:
    error = StorageInternalError("commit")
    error.__cause__ = OperationalError("INSERT", {}, Exception(said))
    line = str(told("x.db", error))
    assert line.startswith("x.db: ")
    assert meant in line
    assert "\n" not in line
