"""A study to show, made without training or timing anything."""

from __future__ import annotations

from dataclasses import replace

import pytest
from unit.report.fakes import every_status, searched, with_trials

from mbnas.search import Study


@pytest.fixture(scope="session")
def study(tmp_path_factory: pytest.TempPathFactory) -> Study:
    """Sixty trials of every status, on disk too."""
    made = searched(tmp_path_factory.mktemp("studies") / "shown")
    trials = [replace(one, training_seconds=10.0 + one.number) for one in every_status(made, 60)]
    for trial in trials[1:]:
        made.folder.write_trial(trial, {}, None)
    return with_trials(made, [made.trials[0], *trials[1:]])
