"""The trials on record: their files, what Optuna is told of them, and what they come to."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, field

import optuna
from optuna.trial import TrialState

from mbnas.errors import StudyError
from mbnas.search.annotation import keep_architecture, write_note
from mbnas.search.evaluation import CURVE, STARTED_FROM, Ended
from mbnas.search.folder import StudyFolder
from mbnas.search.front import is_settled
from mbnas.search.holder import Held
from mbnas.search.patient import gathered
from mbnas.search.record import StudyRecord
from mbnas.search.savings import is_paid
from mbnas.search.study import RESULT, broken_off
from mbnas.search.trial import Trial

FAILED_AT_FIRST = 5
"""So many failed trials, and none but failed ones since the search began, end it."""
FAILED_IN_A_ROW = 10


def begun_epochs(study: optuna.Study) -> dict[int, int]:
    """Of trials that were broken off, by their number, the epochs up to their last rung."""
    return {one.number: len(one.user_attrs.get(CURVE, [])) for one in broken_off(study)}


@dataclass(slots=True)
class Ledger:
    """What a search has on record.

    Attributes:
        folder: The study's.
        record: What the study is made with.
        study: Optuna's study.
        trials: The trials on record, in the order in which they were told.
        held: The folder's lock.
        begun: Epochs of those that were broken off and are not told yet, by their number.
    """

    folder: StudyFolder
    record: StudyRecord
    study: optuna.Study
    trials: list[Trial]
    held: Held
    begun: dict[int, int] = field(init=False)
    evaluated: int = field(default=0, init=False)
    epochs: int = field(default=0, init=False)
    _cut_short: frozenset[int] = field(init=False)
    _known: dict[str, Trial] = field(default_factory=dict, init=False)
    _failed: list[Trial] = field(default_factory=list, init=False)
    _succeeded: bool = field(default=False, init=False)

    def __post_init__(self) -> None:
        # By a kill, perhaps in the middle of being told.
        self.begun = begun_epochs(self.study)
        self._cut_short = frozenset(self.begun)
        for trial in self.trials:
            self._count(trial)

    def known(self, identity: str) -> Trial | None:
        """The first result of a network; one that is settled before one that is not."""
        return self._known.get(identity)

    @property
    def networks_of_the_space(self) -> int:
        """How many of the space's networks are known."""
        return sum(not trial.outside for trial in self._known.values())

    def sources(self) -> list[int]:
        """The trials with whose weights those began that are begun and not told."""
        if not self.record.warm_start:
            return []
        found = (one.user_attrs.get(STARTED_FROM) for one in broken_off(self.study))
        return [number for number in found if number is not None]

    def write(self, ended: Ended) -> None:
        """Writes a trial's files, from which a search that is killed now goes on.

        Raises:
            StudyError: the disk is full, or the folder cannot be written, or was taken over.
        """
        self.held.check()
        self.folder.write_trial(ended.trial, ended.weights, ended.model, ended.log)

    def tell(self, asked: optuna.Trial, trial: Trial) -> None:
        """Puts a trial on record, once its files are written.

        Raises:
            StudyError: too many trials fail.
        """
        # Not gathered: its entry comes first, so that no kill leaves a file that nobody knows.
        keep_architecture(asked, self.folder, again=asked.number in self._cut_short)
        with gathered(self.study, attributes=True):
            write_note(self.study, asked, trial)
            asked.set_user_attr(RESULT, trial.to_record())
            self._tell_constraints(asked, trial)
        if trial.outside:
            # Any other state would leave Optuna's samplers no parameters that all trials have.
            self.study.tell(asked, state=TrialState.FAIL)
        elif is_settled(trial, self.record.goals):
            self.study.tell(asked, self._values(trial))
        else:
            # Of what was stopped, Optuna takes no values when there are two objectives.
            failed = self._origin(trial).status == "failed"
            self.study.tell(asked, state=TrialState.FAIL if failed else TrialState.PRUNED)
        self.trials.append(trial)
        self.begun.pop(trial.number, None)
        self._count(trial)

    def check_failures(self, trial: Trial) -> None:
        """Ends a search whose trials fail too often.

        Args:
            trial: The one that ended last.

        Raises:
            StudyError: the first few of this search failed, or many in a row.
        """
        if trial.status in ("trained", "stopped") and is_paid(trial):
            self._succeeded = True
            self._failed.clear()
        if trial.status != "failed":  # one that was refused, or known, says nothing either way
            return
        self._failed.append(trial)
        most = FAILED_IN_A_ROW if self._succeeded else FAILED_AT_FIRST
        if len(self._failed) < most:
            return
        kinds = Counter(str(one.failure) for one in self._failed)
        said = ", ".join(f"{count} × {kind}" for kind, count in kinds.most_common())
        raise StudyError(
            f"{self.folder.path}: {len(self._failed)} trials in a row failed ({said}); the last:"
            f" {trial.reason}; see {self.folder.log_file(trial.number)}, mend it, and the same"
            " command goes on"
        )

    def _tell_constraints(self, asked: optuna.Trial, trial: Trial) -> None:
        told: set[str] = set()
        if asked.number in self._cut_short:
            told |= set(asked.storage.get_trial(asked._trial_id).constraints)
        for limit in self.record.goals.limits:
            value = trial.bound(limit.quantity)
            if limit.quantity not in told:
                # As a share of the limit, so that limits in bytes and milliseconds weigh alike.
                # All or none, Optuna's GP insists: what is not known counts as neither way.
                asked.set_constraint(
                    limit.quantity, 0.0 if value is None else value / limit.most - 1
                )

    def _values(self, trial: Trial) -> tuple[float, float]:
        """What Optuna's samplers see; a network that broke a limit has accuracy 0."""
        goals = self.record.goals
        cost = trial.value(goals.cost)
        return (trial.value(goals.quality) or 0.0, math.inf if cost is None else cost)

    def _count(self, trial: Trial) -> None:
        if is_paid(trial):
            self.evaluated += 1
            self.epochs += len(trial.curve)
        there = self._known.get(trial.architecture.id)
        if trial.status != "reused" and (there is None or not is_settled(there, self.record.goals)):
            self._known[trial.architecture.id] = trial

    def _origin(self, trial: Trial) -> Trial:
        """The trial whose result this is."""
        return trial if trial.reused_from is None else self._known[trial.architecture.id]
