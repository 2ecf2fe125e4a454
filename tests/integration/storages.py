"""What Optuna has of a study, for comparison."""

from __future__ import annotations

from typing import Any

import optuna
from optuna.trial import FrozenTrial

from mbnas.search.folder import StudyFolder
from mbnas.search.storage import open_optuna_study


def optuna_study(folder: StudyFolder, url: str | None = None) -> optuna.Study:
    """A study as Optuna has it."""
    record, _ = folder.read()
    return open_optuna_study(folder, record, url)


def told(folder: StudyFolder, url: str | None = None) -> list[dict[str, Any]]:
    """What was told of each trial."""
    return [_row(trial) for trial in optuna_study(folder, url).get_trials()]


def _row(trial: FrozenTrial) -> dict[str, Any]:
    return {
        "number": trial.number,
        "state": trial.state,
        "values": trial.values,
        "params": trial.params,
        "distributions": trial.distributions,
        "constraints": trial.constraints,
        "user_attrs": trial.user_attrs,
    }
