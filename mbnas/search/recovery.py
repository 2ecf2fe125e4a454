"""Setting right what Optuna's storage and the trials' own files say differently.

Files are written before Optuna is told. After a power failure, or where the database is lost or
was put back to an earlier copy, it knows of fewer trials than `trials/` holds. Where files were
removed or damaged, it knows of more.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution
from optuna.trial import FrozenTrial, TrialState, create_trial

from mbnas.errors import SpaceError, StudyError
from mbnas.search.evaluation import CURVE, STARTED_FROM
from mbnas.search.folder import StudyFolder
from mbnas.search.proposals import NETWORK, START
from mbnas.search.record import StudyRecord
from mbnas.search.study import RESULT
from mbnas.search.trial import Trial
from mbnas.space import Params, SearchSpace
from mbnas.training.trainer import Epoch

MISSING_AT_MOST = 1_000
"""Trials that may lack between two that are there: more than are ever in evaluation at once."""


def recover(
    study: optuna.Study, folder: StudyFolder, record: StudyRecord, space: SearchSpace
) -> int:
    """Lets a study go on with all that its database or its files hold, before it is searched.

    A trial that the database lacks is added to it as running, so that the search takes it up
    first: it tells one that has a result, and evaluates the others again. A finished one whose
    files lack gets them again, but for its weights.

    Args:
        study: Optuna's study.
        folder: The study's folder, held locked.
        record: What the study was made with.
        space: Its space.

    Returns:
        How many trials had to be set right.

    Raises:
        StudyError: files cannot be read or written, or are no study's.
    """
    known = study.get_trials(deepcopy=False)
    restored = sum(_restore(frozen, folder) for frozen in known)
    recovery = _Recovery(study, folder, record, space)
    completed = sum(recovery.complete(frozen) for frozen in known if not frozen.state.is_finished())
    missing = _missing(len(known), folder)
    for number in missing:
        recovery.add(number)
    return restored + completed + len(missing)


def _missing(known: int, folder: StudyFolder) -> Sequence[int]:
    """Numbers that Optuna does not know, up to the highest that has a folder."""
    beyond = [number for number in folder.trial_numbers() if number >= known]
    for before, after in pairwise([known - 1, *beyond]):
        if after - before > MISSING_AT_MOST:
            raise StudyError(
                f"{folder.trial_folder(after)}: far beyond all other trials; move it elsewhere"
            )
    return range(known, beyond[-1] + 1) if beyond else ()


def _restore(frozen: FrozenTrial, folder: StudyFolder) -> bool:
    """Writes the files of a finished trial again, where they are missing or damaged."""
    if not frozen.state.is_finished() or RESULT not in frozen.user_attrs:
        return False
    if _whole(frozen.number, folder) is not None:
        return False
    place = f"{folder.database}, trial {frozen.number}"
    folder.write_trial(Trial.from_record(frozen.user_attrs[RESULT], place), {}, None)
    return True


def _whole(number: int, folder: StudyFolder) -> Trial | None:
    """A trial's result, unless it is missing or damaged.

    Raises:
        StudyError: it cannot be read.
    """
    try:
        return folder.read_result(number)
    except StudyError as error:
        if isinstance(error.__context__, OSError):
            raise
        return None


@dataclass(frozen=True, slots=True)
class _Recovery:
    """Tells Optuna what files say of trials that it has not as finished."""

    study: optuna.Study
    folder: StudyFolder
    record: StudyRecord
    space: SearchSpace

    def add(self, number: int) -> None:
        """Adds the next trial, as one that is running."""
        result = self._result(number)
        params = {} if result is None else self._params(result)
        self.study.add_trial(
            create_trial(
                state=TrialState.RUNNING,
                params=params,
                distributions=self._distributions(params),
                user_attrs={} if result is None else self._attributes(result),
            )
        )

    def complete(self, frozen: FrozenTrial) -> bool:
        """Gives an unfinished trial that has a result what it lacks to be taken up."""
        result = self._result(frozen.number)
        if result is None:
            return False
        asked = optuna.Trial(self.study, frozen._trial_id)
        storage = asked.storage
        if frozen.state == TrialState.WAITING:
            storage.set_trial_state_values(frozen._trial_id, TrialState.RUNNING)
        params = self._params(result)
        lacking = {name: params[name] for name in params.keys() - frozen.params.keys()}
        for name, distribution in self._distributions(lacking).items():
            label = distribution.to_internal_repr(lacking[name])
            storage.set_trial_param(frozen._trial_id, name, label, distribution)
        attributes = self._attributes(result)
        for name in attributes.keys() - frozen.user_attrs.keys():
            asked.set_user_attr(name, attributes[name])
        return bool(lacking) or frozen.state == TrialState.WAITING

    def _result(self, number: int) -> Trial | None:
        """What a trial left; one that cannot be of use is set aside, so that it is made again."""
        result = _whole(number, self.folder)
        if result is None or not self._is_of_use(result):
            self.folder.set_result_aside(number)
            return None
        return result

    def _is_of_use(self, result: Trial) -> bool:
        """Whether it is of a network of its own point, and what it repeats is there."""
        if not result.outside and not self._is_at_its_point(result):
            return False
        if result.reused_from is None:
            return True
        if result.reused_from >= result.number:
            return False
        source = _whole(result.reused_from, self.folder)
        return source is not None and source.architecture.id == result.architecture.id

    def _is_at_its_point(self, result: Trial) -> bool:
        try:
            return self.space.architecture(result.params).id == result.architecture.id
        except SpaceError:
            return False

    def _params(self, result: Trial) -> Params:
        return {} if result.outside else dict(result.params)

    def _distributions(self, params: Params) -> dict[str, BaseDistribution]:
        return {
            choice.name: CategoricalDistribution(choice.labels)
            for choice in self.space.choices
            if choice.name in params
        }

    def _attributes(self, result: Trial) -> dict[str, Any]:
        """The user attributes that a trial has by the time its files are written."""
        attributes: dict[str, Any] = {}
        is_taken_over = result.known_from is not None and result.status != "reused"
        if result.start is not None or result.outside or is_taken_over:
            attributes[NETWORK] = result.architecture.to_dict()
        if result.start is not None:
            attributes[START] = result.start
        is_own = result.status in ("trained", "stopped", "failed") and result.known_from is None
        if is_own and self.record.warm_start and result.latency is not None:
            attributes[STARTED_FROM] = result.started_from
        curve = self._reported(result) if is_own else ()
        if curve:
            attributes[CURVE] = [[one.epoch, one.loss, one.accuracy, one.seconds] for one in curve]
        return attributes

    def _reported(self, result: Trial) -> tuple[Epoch, ...]:
        """The part of a curve that was reported before the trial's end: up to its last rung."""
        if result.status != "trained":
            return result.curve
        passed = [stop for stop in self.record.recipe.stops if stop < len(result.curve)]
        return result.curve[: max(passed, default=0)]
