"""Optuna's database storage, with patience: a server that restarts costs a search nothing."""

from __future__ import annotations

import contextlib
import logging
import re
import time
import weakref
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any, Concatenate, ParamSpec, TypeVar

import optuna
from optuna.distributions import BaseDistribution, distribution_to_json
from optuna.exceptions import StorageInternalError
from optuna.storages import RDBStorage
from optuna.storages._rdb.models import TrialModel, TrialParamModel
from optuna.storages._rdb.storage import _create_scoped_session
from optuna.trial import FrozenTrial, TrialState
from sqlalchemy.exc import (
    DBAPIError,
    InterfaceError,
    OperationalError,
    PendingRollbackError,
    SQLAlchemyError,
)
from sqlalchemy.orm import Session

from mbnas.errors import StudyError

FIRST_WAIT_SECONDS = 0.05
LONGEST_WAIT_SECONDS = 2.0
_REASON_CHARACTERS = 240

# What a database says, what that means, and the mend; the first that fits.
_FAULTS = (
    (
        r"password|Access denied|authentication",
        "refuses the user or the password",
        "give the URL with its password in MBNAS_STORAGE",
    ),
    (
        r"database \S+ does not exist|Unknown database",
        "has no such database",
        "make it, on PostgreSQL with: createdb",
    ),
    (
        r"not a database|malformed",
        "not a study of Optuna's",
        "move it aside, and the same command makes it anew from the study's trials/",
    ),
    (r"is locked", "is held by another program", "end that one, then the same command goes on"),
    (
        r"is full|No space left",
        "has no room on its disk",
        "make room, then the same command goes on",
    ),
    (
        r"readonly|read-only|unable to open",
        "cannot be written",
        "let it be written, then the same command goes on",
    ),
    (
        r"refused|translate|[Tt]imeout|timed out|route|unreachable|[Cc]ould not connect|resolve"
        r"|Can't connect|closed|terminat|starting up|shutting down|connection",
        "cannot be reached",
        "start the server or mend the URL, then the same command goes on",
    ),
)
_P = ParamSpec("_P")
_T = TypeVar("_T")


def told(place: str, error: Exception) -> StudyError:
    """What befell a database, in one line with its mend.

    Args:
        place: The file, or the URL without its password.
        error: SQLAlchemy's, or Optuna's of what it met.
    """
    root = _root(error)
    words = " ".join(str(getattr(root, "orig", None) or root).split())
    reason = words if len(words) <= _REASON_CHARACTERS else f"{words[:_REASON_CHARACTERS]}..."
    for pattern, what, mend in _FAULTS:
        if re.search(pattern, words):
            return StudyError(f"{place}: {what} ({reason}); {mend}")
    return StudyError(f"{place}: not a study of Optuna's ({reason})")


def _root(error: BaseException) -> BaseException:
    """The error that Optuna's own stands for."""
    is_optunas = isinstance(error, StorageInternalError) and error.__cause__ is not None
    return error.__cause__ if is_optunas and error.__cause__ is not None else error


def _may_pass(error: Exception) -> bool:
    """Whether the same may go well a moment later: the server, not what it was asked, failed."""
    root = _root(error)
    if isinstance(root, OperationalError | InterfaceError | PendingRollbackError):
        return True
    return isinstance(root, DBAPIError) and root.connection_invalidated


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
        self._gathered: dict[int, dict[str, tuple[float, BaseDistribution]]] | None = None
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
                if not _may_pass(error) or waited + wait > self.patience_seconds:
                    raise told(self.place, error) from error
            time.sleep(wait)
            wait = min(2 * wait, LONGEST_WAIT_SECONDS)

    create_new_study = _patient(RDBStorage.create_new_study)
    set_study_user_attr = _patient(RDBStorage.set_study_user_attr)
    set_study_system_attr = _patient(RDBStorage.set_study_system_attr)
    get_study_id_from_name = _patient(RDBStorage.get_study_id_from_name)
    get_study_name_from_id = _patient(RDBStorage.get_study_name_from_id)
    get_study_directions = _patient(RDBStorage.get_study_directions)
    get_study_user_attrs = _patient(RDBStorage.get_study_user_attrs)
    get_study_system_attrs = _patient(RDBStorage.get_study_system_attrs)
    get_all_studies = _patient(RDBStorage.get_all_studies)
    set_trial_intermediate_value = _patient(RDBStorage.set_trial_intermediate_value)
    set_trial_user_attr = _patient(RDBStorage.set_trial_user_attr)
    set_trial_system_attr = _patient(RDBStorage.set_trial_system_attr)
    get_trial = _patient(RDBStorage.get_trial)
    get_trial_param = _patient(RDBStorage.get_trial_param)
    get_trial_user_attrs = _patient(RDBStorage.get_trial_user_attrs)
    get_trial_system_attrs = _patient(RDBStorage.get_trial_system_attrs)
    get_trial_id_from_study_id_trial_number = _patient(
        RDBStorage.get_trial_id_from_study_id_trial_number
    )
    _get_trials = _patient(RDBStorage._get_trials)

    @contextlib.contextmanager
    def gathering(self) -> Iterator[None]:
        """Inside, choices are kept; at the end they are written, in one transaction for all.

        One for each, as Optuna has it, takes most of the time of an ask.
        """
        self._gathered = {}
        try:
            yield
            for trial_id, choices in self._gathered.items():
                self.repeated(partial(self._write_choices, trial_id, choices))
        finally:
            self._gathered = None

    def _set_trial_param(
        self,
        trial_id: int,
        param_name: str,
        param_value_internal: float,
        distribution: BaseDistribution,
        previous_distribution: BaseDistribution | None,  # noqa: ARG002 - of one space, all agree
    ) -> None:
        if self._gathered is None:
            own = {param_name: (param_value_internal, distribution)}
            self.repeated(lambda: self._write_choices(trial_id, own))
        else:
            kept = self._gathered.setdefault(trial_id, {})
            kept[param_name] = (param_value_internal, distribution)

    def _write_choices(
        self, trial_id: int, choices: Mapping[str, tuple[float, BaseDistribution]]
    ) -> None:
        """Writes the choices of a trial that are not there."""
        with _create_scoped_session(self.scoped_session, True) as session:
            there = session.query(TrialParamModel.param_name).filter(
                TrialParamModel.trial_id == trial_id
            )
            names = {name for (name,) in there.all()}
            session.add_all(
                TrialParamModel(
                    trial_id=trial_id,
                    param_name=name,
                    param_value=value,
                    distribution_json=distribution_to_json(distribution),
                )
                for name, (value, distribution) in choices.items()
                if name not in names
            )

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


@contextlib.contextmanager
def gathered_choices(study: optuna.Study) -> Iterator[None]:
    """Inside, what a study's sampler chooses is written together."""
    storage = getattr(study._storage, "_backend", study._storage)
    with storage.gathering() if isinstance(storage, PatientStorage) else contextlib.nullcontext():
        yield
