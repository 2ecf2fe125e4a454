"""Optuna's database storage, with patience: a server that restarts costs a search nothing."""

from __future__ import annotations

import contextlib
import json
import logging
import time
import weakref
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any, Concatenate, ParamSpec, TypeVar

import optuna
from optuna.distributions import BaseDistribution, distribution_to_json
from optuna.exceptions import StorageInternalError
from optuna.storages import RDBStorage
from optuna.storages._rdb.models import (
    StudySystemAttributeModel,
    TrialModel,
    TrialParamModel,
    TrialSystemAttributeModel,
    TrialUserAttributeModel,
)
from optuna.storages._rdb.storage import _create_scoped_session
from optuna.trial import FrozenTrial, TrialState
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from mbnas.search.database_faults import may_pass, told

FIRST_WAIT_SECONDS = 0.05
LONGEST_WAIT_SECONDS = 2.0
_P = ParamSpec("_P")
_T = TypeVar("_T")
_Write = Callable[[Session], None]
"""Writes something within a transaction; twice is as good as once."""


def _is_news(record: logging.LogRecord) -> bool:
    """Whether a line of Optuna's says more than that it met what is repeated here."""
    return not record.getMessage().startswith("Caught an error from sqlalchemy")


def _patient(
    method: Callable[Concatenate[Any, _P], _T],
) -> Callable[Concatenate[Any, _P], _T]:
    """The same operation, repeated while the server is away."""

    def repeated(self: PatientStorage, /, *args: _P.args, **kwargs: _P.kwargs) -> _T:
        return self.repeated(lambda: method(self, *args, **kwargs))

    return repeated


@dataclass(frozen=True)
class _Choice:
    """A row of Optuna's table of parameters."""

    trial_id: int
    param_name: str
    param_value: float
    distribution_json: str


class PatientStorage(RDBStorage):
    """Repeats what meets a server that is away, until it is back or patience ends.

    Optuna itself repeats the making of a trial alone, five times within about five seconds; the
    caller of any other operation gets an exception. What is repeated here may have been carried
    out already, the answer lost with the connection:

    - what is read, attributes, choices and intermediate values come out the same twice;
    - a study that is there already is what `optuna.create_study(load_if_exists=True)` takes;
    - a trial that is there already is taken in place of a second one;
    - a trial that is told already is seen to be.

    The last two hold while one driver alone writes, which the study's lock sees to.

    Args:
        url: The database's.
        place: What errors call it.
        engine_kwargs: SQLAlchemy's.
        patience_seconds: How long a server may be away; 0 repeats nothing.

    Raises:
        StudyError: from every operation, where the database fails for good.
    """

    def __init__(
        self, url: str, place: str, engine_kwargs: dict[str, Any], patience_seconds: float
    ) -> None:
        self.place = place
        self.patience_seconds = patience_seconds
        self._next_number: int | None = None
        self._choices: list[_Choice] | None = None  # None where nothing is kept
        self._attributes: list[_Write] | None = None
        logging.getLogger(RDBStorage.__module__).addFilter(_is_news)
        super().__init__(url, engine_kwargs)
        weakref.finalize(self, self.engine.dispose)  # psycopg warns of what nobody closes

    def repeated(self, operation: Callable[[], _T]) -> _T:
        """What an operation gives, at the first time that the server is there.

        Raises:
            StudyError: it is away for too long, or failed in another way.
        """
        began, wait = time.monotonic(), FIRST_WAIT_SECONDS
        while True:
            try:
                return operation()
            except (StorageInternalError, SQLAlchemyError) as error:
                waited = time.monotonic() - began
                if not may_pass(error) or waited + wait > self.patience_seconds:
                    raise told(self.place, error) from error
            time.sleep(wait)
            wait = min(2 * wait, LONGEST_WAIT_SECONDS)

    create_new_study = _patient(RDBStorage.create_new_study)
    set_study_user_attr = _patient(RDBStorage.set_study_user_attr)
    get_study_id_from_name = _patient(RDBStorage.get_study_id_from_name)
    get_study_name_from_id = _patient(RDBStorage.get_study_name_from_id)
    get_study_directions = _patient(RDBStorage.get_study_directions)
    get_study_user_attrs = _patient(RDBStorage.get_study_user_attrs)
    get_study_system_attrs = _patient(RDBStorage.get_study_system_attrs)
    get_all_studies = _patient(RDBStorage.get_all_studies)
    set_trial_intermediate_value = _patient(RDBStorage.set_trial_intermediate_value)
    get_trial = _patient(RDBStorage.get_trial)
    get_trial_param = _patient(RDBStorage.get_trial_param)
    get_trial_user_attrs = _patient(RDBStorage.get_trial_user_attrs)
    get_trial_system_attrs = _patient(RDBStorage.get_trial_system_attrs)
    get_trial_id_from_study_id_trial_number = _patient(
        RDBStorage.get_trial_id_from_study_id_trial_number
    )
    _get_trials = _patient(RDBStorage._get_trials)

    @contextlib.contextmanager
    def gathering(self, attributes: bool) -> Iterator[None]:
        """Inside, choices are kept; at the end they are written, in one transaction for all.

        One for each, as Optuna has it, takes most of the time of an ask and of a tell.

        Args:
            attributes: Whether to keep those of trials and of the study too. Until they are
                written, nobody reads them.
        """
        self._choices, self._attributes = [], [] if attributes else None
        try:
            yield
            choices, writes = self._choices, self._attributes or []
        finally:
            self._choices = self._attributes = None
        self._write(partial(_write_choices, choices), *writes)

    def _write(self, *writes: _Write) -> None:
        """Does some writing, in one transaction."""

        def write() -> None:
            with _create_scoped_session(self.scoped_session) as session:
                for one in writes:
                    one(session)

        self.repeated(write)

    def _set_trial_param(
        self,
        trial_id: int,
        param_name: str,
        param_value_internal: float,
        distribution: BaseDistribution,
        previous_distribution: BaseDistribution | None,  # noqa: ARG002 - of one space, all agree
    ) -> None:
        choice = _Choice(
            trial_id, param_name, param_value_internal, distribution_to_json(distribution)
        )
        if self._choices is None:
            self._write(partial(_write_choices, [choice]))
        else:
            self._choices.append(choice)

    def _write_attribute(self, write: _Write) -> None:
        if self._attributes is None:
            self._write(write)
        else:
            self._attributes.append(write)

    def set_trial_user_attr(self, trial_id: int, key: str, value: Any) -> None:
        """Writes a trial's user attribute."""
        self._set_trial_attr(TrialUserAttributeModel, trial_id, key, value)

    def set_trial_system_attr(self, trial_id: int, key: str, value: Any) -> None:
        """Writes a trial's system attribute."""
        self._set_trial_attr(TrialSystemAttributeModel, trial_id, key, value)

    def _set_trial_attr(self, model: type[Any], trial_id: int, key: str, value: Any) -> None:
        self._write_attribute(
            lambda session: self._set_trial_attr_without_commit(
                session, model, trial_id, key, value
            )
        )

    def set_study_system_attr(self, study_id: int, key: str, value: Any) -> None:
        """Writes a study's system attribute."""
        content = json.dumps(value)
        self._write_attribute(lambda session: _write_study_attr(session, study_id, key, content))

    def set_trial_state_values(
        self, trial_id: int, state: TrialState, values: Sequence[float] | None = None
    ) -> bool:
        """Tells how a trial stands; what an earlier attempt told already is not told twice."""
        attempts = 0

        def tell() -> bool:
            nonlocal attempts
            attempts += 1
            if attempts > 1 and self._stands(trial_id, state, values):
                return True
            return RDBStorage.set_trial_state_values(self, trial_id, state, values)

        return self.repeated(tell)

    def _stands(self, trial_id: int, state: TrialState, values: Sequence[float] | None) -> bool:
        trial = self.get_trial(trial_id)
        return trial.state == state and (values is None or trial.values == list(values))

    def _create_new_trial(
        self, study_id: int, template_trial: FrozenTrial | None = None
    ) -> FrozenTrial:
        """Makes a trial; one that an earlier attempt made already is taken."""
        self._next_number = None
        return self.repeated(lambda: RDBStorage._create_new_trial(self, study_id, template_trial))

    def _get_prepared_new_trial(
        self, study_id: int, template_trial: FrozenTrial | None, session: Session
    ) -> TrialModel:
        # Optuna's own repetition calls this again too, under a lock on the study.
        count = session.query(TrialModel).filter(TrialModel.study_id == study_id).count()
        if self._next_number is None:
            self._next_number = count
        elif count > self._next_number:
            made = session.query(TrialModel).filter(
                TrialModel.study_id == study_id, TrialModel.number == self._next_number
            )
            return made.one()
        return super()._get_prepared_new_trial(study_id, template_trial, session)


def _write_choices(choices: Sequence[_Choice], session: Session) -> None:
    """Writes those choices that are not there."""
    trials = {choice.trial_id for choice in choices}
    there = session.query(TrialParamModel.trial_id, TrialParamModel.param_name).filter(
        TrialParamModel.trial_id.in_(trials)
    )
    known = {(trial_id, name) for trial_id, name in there.all()} if choices else set()
    session.add_all(
        TrialParamModel(**asdict(choice))
        for choice in choices
        if (choice.trial_id, choice.param_name) not in known
    )


def _write_study_attr(session: Session, study_id: int, key: str, content: str) -> None:
    there = session.query(StudySystemAttributeModel).filter(
        StudySystemAttributeModel.study_id == study_id, StudySystemAttributeModel.key == key
    )
    attribute = there.one_or_none()
    if attribute is None:
        session.add(StudySystemAttributeModel(study_id=study_id, key=key, value_json=content))
    else:
        attribute.value_json = content


@contextlib.contextmanager
def gathered(study: optuna.Study, *, attributes: bool) -> Iterator[None]:
    """Inside, what is written to a study is kept, and at the end written together.

    See `PatientStorage.gathering`; with any other storage, everything is written as it comes.
    """
    storage = getattr(study._storage, "_backend", study._storage)
    if isinstance(storage, PatientStorage):
        with storage.gathering(attributes):
            yield
    else:
        yield
