"""Picking from a confirmed study, for its export."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from integration.contests import LONG, confirm
from integration.studies import fake_search

import mbnas
from mbnas.measure.latency import Latency
from mbnas.search import Limit
from mbnas.testing import FakeLatencyMeter, FakeTrainer
from mbnas.training.recipe import Recipe


class Slower(FakeLatencyMeter):
    """Finds that what took so long takes a second now."""

    def __init__(self, latency_ms: float | None) -> None:
        super().__init__()
        self.slowed = latency_ms

    def measure_files(self, files: Sequence[bytes]) -> list[Latency]:
        return [
            replace(one, latency_ms=1000, high_ms=1000) if one.latency_ms == self.slowed else one
            for one in super().measure_files(files)
        ]


def test_a_confirmed_network_beyond_a_limit_is_picked_by_its_number_alone(tmp_path: Path) -> None:
    limits = [Limit("latency_ms", 0.5)]
    study = fake_search(tmp_path / "study", limits=limits, recipe=Recipe(epochs=3)).run(12)
    best = study.front[-1]
    found = confirm(study, seeds=1, trainer=FakeTrainer(LONG.epochs), meter=Slower(best.latency_ms))
    over = found.of_trial(best.number)
    assert over is not None
    assert over.cost == 1000
    assert over.validation == max(one.validation for one in found.networks)
    for rule in ("accuracy", "params<=1e9", "latency_ms<=2000"):
        assert mbnas.pick(study, rule).number == found.front[-1].trial != best.number
    assert mbnas.pick(study, f"trial:{best.number}") == best
