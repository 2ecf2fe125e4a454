"""mbnas search --dry-run: what is left of a budget."""

from __future__ import annotations

from pathlib import Path

import pytest
from integration.studies import fake_search

from mbnas.cli.dry_run import _left
from mbnas.search import Study
from mbnas.testing import FakeTrainer
from mbnas.training.recipe import Recipe


@pytest.fixture
def study(tmp_path: Path) -> Study:
    """Three trials of 12 epochs, and one that was laid down after 6."""
    recipe = Recipe(epochs=12, rungs=(3, 6))
    search = fake_search(tmp_path / "study", recipe=recipe, trainer=FakeTrainer(epochs=12))
    return search.run(epochs=40)


def test_the_epochs_of_a_training_that_was_laid_down_count(study: Study) -> None:
    before = study.folder.record_file.read_bytes()
    assert _left(study.folder.path, 5, 60, None) == (2, 60 - 3 * 12 - 6)
    assert _left(study.folder.path, 2, 40, None) == (0, 0)
    assert _left(study.folder.path, None, None, None) == (None, None)
    assert study.folder.record_file.read_bytes() == before


def test_no_database_is_made_to_look_into(
    study: Study, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere = tmp_path / "elsewhere.db"
    assert _left(study.folder.path, None, 60, f"sqlite:///{elsewhere}") == (None, 24)
    monkeypatch.setenv("MBNAS_STORAGE", f"sqlite:///{elsewhere}")
    assert _left(study.folder.path, None, 60, None) == (None, 18), "it stays where it is"
    study.folder.database.unlink()
    assert _left(study.folder.path, None, 60, None) == (None, 24)
    assert not elsewhere.exists()
    assert not study.folder.database.exists()
