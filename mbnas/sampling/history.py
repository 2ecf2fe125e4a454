"""What a study has seen so far, as a sampler needs it."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import optuna
from numpy.typing import NDArray
from optuna.trial import FrozenTrial, TrialState

from mbnas.sampling.known import Params
from mbnas.sampling.points import Points, Rows

Array = NDArray[np.float64]
MOST_SEEN = 300
"""Trials that a model looks at; of more, a share spread over all of them."""
PART = 256
"""Trials that are compared with all others at a time, so that memory stays bounded."""
_ENDED = (TrialState.COMPLETE, TrialState.PRUNED, TrialState.FAIL)


@dataclass(frozen=True, slots=True)
class Observed:
    """What a finished trial says.

    Attributes:
        values: One for each objective; NaN where it is not known.
        counts: Whether it may be on the front. One that broke a limit may not, nor one whose
            value is an estimate.
    """

    values: tuple[float, ...]
    counts: bool = True


Reader = Callable[[FrozenTrial], Observed | None]
"""Reads a finished trial; None where it says nothing."""


def read_trial(trial: FrozenTrial) -> Observed | None:
    """A complete trial's values, which count where no constraint is broken."""
    if trial.state != TrialState.COMPLETE or not np.all(np.isfinite(trial.values)):
        return None
    within = all(value <= 0 for value in (trial.constraints or {}).values())
    return Observed(tuple(trial.values), within)


@dataclass(frozen=True, slots=True)
class History:
    """Finished and running trials.

    Attributes:
        rows: Points of the trials that say something, (trials, parameters).
        losses: Their values, turned so that less is better, (trials, objectives).
        signs: -1 of objectives that are maximised, (objectives,).
        counts: Which of them may be on the front, (trials,).
        running: Points in evaluation, (trials, parameters).
        taken: All points that ended or are in evaluation, those that say nothing too.
    """

    rows: Rows
    losses: Array
    signs: Array
    counts: NDArray[np.bool_]
    running: Rows
    taken: tuple[Params, ...]

    @classmethod
    def of(cls, study: optuna.Study, own: int, points: Points, read: Reader) -> History:
        """Of all trials but the sampler's own that have a value for each parameter."""
        signs = np.array(
            [1.0 if d == optuna.study.StudyDirection.MINIMIZE else -1.0 for d in study.directions]
        )
        rows, losses, counts, running, taken = [], [], [], [], []
        for trial in study.get_trials(deepcopy=False):
            if trial.number == own or not all(name in trial.params for name in points.names):
                continue
            if trial.state == TrialState.RUNNING:
                running.append(points.row(trial.params))
            elif trial.state not in _ENDED:
                continue
            taken.append(trial.params)
            observed = read(trial) if trial.state in _ENDED else None
            if observed is not None:
                rows.append(points.row(trial.params))
                losses.append(signs * observed.values)
                counts.append(observed.counts)
        width = len(points.names)
        return cls(
            rows=np.array(rows).reshape(-1, width),
            losses=np.array(losses).reshape(-1, len(signs)),
            signs=signs,
            counts=np.array(counts, dtype=bool),
            running=np.array(running).reshape(-1, width),
            taken=tuple(taken),
        )

    @property
    def whole(self) -> int:
        """Trials of which every objective is known."""
        return int(np.sum(np.all(np.isfinite(self.losses), axis=1)))

    @property
    def able(self) -> NDArray[np.bool_]:
        """Which trials may be on the front, (trials,)."""
        return np.asarray(self.counts & np.all(np.isfinite(self.losses), axis=1))

    def seen(self) -> History:
        """The same with at most `MOST_SEEN` trials that say something; those that are best stay."""
        count = len(self.rows)
        if count <= MOST_SEEN:
            return self
        kept = np.zeros(count, dtype=bool)
        kept[_best(self.losses, self.able)[: MOST_SEEN // 2]] = True
        others = np.flatnonzero(~kept)
        left = MOST_SEEN - int(kept.sum())
        kept[others[np.linspace(0, len(others) - 1, left).round().astype(int)]] = True
        return replace(
            self, rows=self.rows[kept], losses=self.losses[kept], counts=self.counts[kept]
        )


def _best(losses: Array, able: NDArray[np.bool_]) -> NDArray[np.intp]:
    """Trials that may be on the front, by how many others dominate them, fewest first."""
    some = losses[able]
    counts = [_worse(some, part) for part in np.array_split(some, 1 + len(some) // PART)]
    return np.flatnonzero(able)[np.argsort(np.concatenate(counts), kind="stable")]


def _worse(some: Array, part: Array) -> NDArray[np.intp]:
    """For each row of a part, how many rows dominate it."""
    no_worse = np.ones((len(some), len(part)), dtype=bool)
    better = np.zeros_like(no_worse)
    for one, other in zip(some.T, part.T, strict=True):
        no_worse &= one[:, None] <= other
        better |= one[:, None] < other
    return np.asarray(np.sum(no_worse & better, axis=0))


def golden(number: int) -> float:
    """A place in [0, 1) for each trial number, evenly spread however many there are."""
    return (0.5 + number * (math.sqrt(5) - 1) / 2) % 1.0
