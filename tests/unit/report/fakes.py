"""Small studies, made without training or timing anything."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from mbnas.data import load_data
from mbnas.network import costs
from mbnas.search import Limit, Search, Study, Trial
from mbnas.search.trial import Status
from mbnas.space import SearchSpace, load_space
from mbnas.testing import FakeLatencyMeter, FakeTrainer
from mbnas.training.trainer import Assignment

HOSTILE = "<script>alert(1)</script>"
LATENCY_LIMIT = 0.45


def searched(folder: Path) -> Study:
    """A study in a folder with one real (fake) trial, to take a record and a space from."""
    search = Search(
        load_space("digits_tiny"),
        load_data("digits"),
        study=folder,
        trainer=FakeTrainer(),
        meter=FakeLatencyMeter(),
        limits=[Limit("latency_ms", LATENCY_LIMIT), Limit("params", 60_000)],
    )
    return search.run(trials=1)


def with_trials(study: Study, trials: Sequence[Trial]) -> Study:
    """The same study with other trials."""
    return Study(study.folder, study.record, study.space, list(trials))


def every_status(study: Study, count: int) -> list[Trial]:
    """Trials of every status, the first of them trained within the limits."""
    rng = random.Random(0)
    return [fake_trial(study.space, number, rng) for number in range(count)]


def numbered(trials: Sequence[Trial]) -> list[Trial]:
    """The same trials with numbers of their own, in their order."""
    return [replace(trial, number=number) for number, trial in enumerate(trials)]


def fake_trial(space: SearchSpace, number: int, rng: random.Random) -> Trial:
    """The trial of that number; its status follows from it."""
    params = space.sample(rng)
    architecture = space.architecture(params)
    (latency,) = FakeLatencyMeter().measure([architecture], 10)
    training = FakeTrainer(epochs=4).train(Assignment(architecture, 0), lambda _: None)
    status: Status = ("trained", "trained", "untrained", "stopped", "failed", "reused")[number % 6]
    trial = Trial(
        number=number,
        params=params,
        architecture=architecture,
        status=status,
        costs=costs(architecture.lower(10)),
        latency=latency,
    )
    if latency.latency_ms > LATENCY_LIMIT or trial.costs.params > 60_000:
        return replace(trial, status="untrained", reason="latency_ms is above the limit")
    match status:
        case "trained":
            return replace(trial, accuracy=training.accuracy, curve=training.curve)
        case "untrained":
            return replace(trial, latency=None, reason="params 61,234 is above the limit")
        case "stopped":
            return replace(trial, curve=training.curve[:2], reason="cannot reach the front")
        case "failed":
            unmeasured = number % 4 == 0
            reason = f"NonFiniteLossError: {HOSTILE} & more"
            return replace(trial, latency=None if unmeasured else latency, reason=reason)
        case _:
            return replace(trial, accuracy=0.5, reused_from=0)
