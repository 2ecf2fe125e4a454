"""Baselines and confirmations of a small study, with fakes."""

from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path
from typing import Any

from integration.studies import fake_search

import mbnas
from mbnas.search import Study
from mbnas.testing import FakeLatencyMeter, FakeTester, FakeTrainer
from mbnas.training.recipe import Recipe
from mbnas.training.trainer import Assignment, Training

NAMES = ("mobilenet_v2@0.35", "torchvision:mobilenet_v3_small")
LONG = Recipe(epochs=5)


class Varied(FakeTrainer):
    """A trainer whose seeds matter."""

    def train(self, assignment: Assignment, *rest: Any) -> Training:
        training = super().train(assignment, *rest)
        luck = random.Random(f"{assignment.architecture.id} {assignment.seed}").gauss(0, 0.01)
        last = training.curve[-1]
        final = replace(last, accuracy=last.accuracy + luck)
        return replace(training, curve=(*training.curve[:-1], final))


def searched(tmp_path: Path) -> Study:
    return fake_search(tmp_path / "study", recipe=Recipe(epochs=3)).run(12)


def baselines(study: Study, *names: str, **changes: Any) -> mbnas.Baselines:
    return mbnas.baselines(
        study, names or NAMES, trainer=FakeTrainer(), meter=FakeLatencyMeter(), **changes
    )


def confirm(study: Study, **changes: Any) -> mbnas.Confirmation:
    settings: dict[str, Any] = {
        "recipe": LONG,
        "trainer": Varied(epochs=5),
        "meter": FakeLatencyMeter(),
        "tester": FakeTester,
        "near": 2,
        **changes,
    }
    return mbnas.confirm(study, **settings)


def files(study: Study) -> dict[str, float]:
    found = (study.folder.path / "confirm" / "trainings").glob("*.json")
    return {file.name: file.stat().st_mtime_ns for file in found}
