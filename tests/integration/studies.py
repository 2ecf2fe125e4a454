"""Searches with fakes, for tests."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from helpers import tiny_space

from mbnas.data import Dataset, load_data
from mbnas.search import Search
from mbnas.testing import FakeLatencyMeter, FakeTrainer

_DIGITS: list[Dataset] = []


def digits() -> Dataset:
    """scikit-learn's digits, dealt once."""
    if not _DIGITS:
        _DIGITS.append(load_data("digits"))
    return _DIGITS[0]


def fake_search(study: Path, **changes: Any) -> Search:
    """A search in which nothing is trained, timed or stopped."""
    settings: dict[str, Any] = {
        "space": tiny_space(),
        "data": digits(),
        "study": study,
        "trainer": FakeTrainer(),
        "meter": FakeLatencyMeter(),
        "sampler": "nsga2",
        "stopping": False,
        **changes,
    }
    return Search(**settings)
