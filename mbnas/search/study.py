"""A study as one reads it: its trials, its front, its tables."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

import optuna
import pandas
from optuna.trial import FrozenTrial, TrialState

from mbnas.errors import StudyError
from mbnas.search.folder import StudyFolder
from mbnas.search.front import front, hypervolume, points
from mbnas.search.record import StudyRecord
from mbnas.search.savings import Savings, savings
from mbnas.search.trial import Trial
from mbnas.space import SearchSpace

RESULT = "result"
"""The Optuna trial's user attribute that holds its record."""


class Study:
    """All trials of one search, as they stood when the study was opened."""

    def __init__(
        self, folder: StudyFolder, record: StudyRecord, space: SearchSpace, trials: list[Trial]
    ) -> None:
        self.folder = folder
        self.record = record
        self.space = space
        self.trials = trials

    @property
    def storage(self) -> str:
        """The URL of the database in which Optuna finds the study, without its password."""
        return self.record.storage or f"sqlite:///{self.folder.database}"

    @cached_property
    def front(self) -> list[Trial]:
        """The trials no other trial dominates, limits respected, from cheap to costly."""
        return front(self.trials, self.record.goals)

    @property
    def hypervolume(self) -> float:
        """The area that the front dominates, up to the study's reference point."""
        return hypervolume(points(self.front, self.record.goals), self.record.reference)

    @property
    def savings(self) -> Savings:
        """What did not have to be trained."""
        return savings(self.trials, self.record.recipe.epochs)

    @cached_property
    def _by_number(self) -> Mapping[int, Trial]:
        return {trial.number: trial for trial in self.trials}

    def trial(self, number: int) -> Trial:
        """The trial of that number.

        Raises:
            StudyError: there is none.
        """
        try:
            return self._by_number[number]
        except KeyError:
            raise StudyError(f"{self.folder.path}: has no finished trial {number}") from None

    def to_dataframe(self) -> pandas.DataFrame:
        """One row a trial: how it ended, its quantities, and its choices."""
        return pandas.DataFrame([row(trial) for trial in self.trials])

    def front_dataframe(self) -> pandas.DataFrame:
        """The front's rows of `to_dataframe`, from cheap to costly."""
        return pandas.DataFrame([row(trial) for trial in self.front])


def open_study(path: str | Path) -> Study:
    """The study in a folder.

    Raises:
        StudyError: not a study, or damaged.
    """
    folder = StudyFolder(path)
    record, space = folder.read()
    # From the trials' own files: Optuna takes half a minute over 10,000 trials.
    found = (folder.read_result(number) for number in folder.trial_numbers())
    return Study(folder, record, space, [trial for trial in found if trial is not None])


def read_trials(study: optuna.Study, folder: StudyFolder) -> list[Trial]:
    """The finished trials of an Optuna study that mbnas filled, in order."""
    return [
        Trial.from_record(frozen.user_attrs[RESULT], f"{folder.database}, trial {frozen.number}")
        for frozen in study.get_trials(deepcopy=False, states=FINISHED)
        if RESULT in frozen.user_attrs
    ]


FINISHED = (TrialState.COMPLETE, TrialState.PRUNED, TrialState.FAIL)


def broken_off(study: optuna.Study) -> list[FrozenTrial]:
    """Trials that were running when their driver ended."""
    return study.get_trials(deepcopy=False, states=(TrialState.RUNNING,))


def row(trial: Trial) -> dict[str, Any]:
    """A trial as one flat row."""
    latency = trial.latency
    return {
        "number": trial.number,
        "id": trial.architecture.id,
        "status": trial.status,
        "reason": trial.reason,
        "accuracy": trial.accuracy,
        "balanced_accuracy": trial.balanced_accuracy,
        "expected_accuracy": trial.expected_accuracy,
        "latency_ms": trial.latency_ms,
        "predicted_ms": trial.predicted_ms,
        "latency_low_ms": latency and latency.low_ms,
        "latency_high_ms": latency and latency.high_ms,
        "p50_ms": latency and latency.p50_ms,
        "p90_ms": latency and latency.p90_ms,
        "noisy": latency and latency.noisy,
        "params": trial.costs.params,
        "macs": trial.costs.macs,
        "size_bytes": trial.costs.size_bytes,
        "resolution": trial.costs.resolution,
        "epochs": len(trial.curve),
        "training_seconds": trial.training_seconds,
        "latency_seconds": trial.latency_seconds,
        "reused_from": trial.reused_from,
        "started_from": trial.started_from,
        "start": trial.start,
        "known_from": trial.known_from,
        "architecture": trial.architecture.describe(),
        **trial.params,
    }
