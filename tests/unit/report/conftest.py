from __future__ import annotations

from dataclasses import replace

import pytest
from unit.report.fakes import HOSTILE, every_status, searched, with_trials

from mbnas.search import Study


@pytest.fixture(scope="session")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Study:
    """A study that no trial has finished in."""
    return with_trials(searched(tmp_path_factory.mktemp("studies") / "bare"), [])


@pytest.fixture(scope="session")
def mixed(bare: Study) -> Study:
    """Trials of every status, and names that try to be HTML."""
    data = bare.record.data.model_copy(
        update={"classes": (HOSTILE, "b", "c"), "spec": f"folder:{HOSTILE}"}
    )
    record = bare.record.model_copy(update={"data": data, "name": HOSTILE})
    space = replace(bare.space, name=HOSTILE)
    return Study(bare.folder, record, space, every_status(bare, 90))


@pytest.fixture(scope="session")
def all_failed(bare: Study) -> Study:
    trials = [trial for trial in every_status(bare, 60) if trial.status == "failed"]
    return with_trials(bare, trials)
