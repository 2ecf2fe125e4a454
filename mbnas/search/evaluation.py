"""The way of a trial: arithmetic limits, latency and its limits, training from rung to rung."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import optuna
from numpy.typing import NDArray

from mbnas.engine import Engine, Failed, LaidDown, Measure, Measured, Outcome, Train, Trained
from mbnas.measure.latency import Predictor
from mbnas.network import Architecture, costs
from mbnas.search.folder import StudyFolder
from mbnas.search.front import broken_limit
from mbnas.search.objectives import Limit
from mbnas.search.proposals import Proposal
from mbnas.search.record import StudyRecord
from mbnas.search.reuse import KnownResults
from mbnas.search.samplers import derived_seed
from mbnas.search.stopping import Stop, Stopping
from mbnas.search.trial import Trial
from mbnas.search.warm_start import kept_weights, nearest_weights
from mbnas.training.trainer import Assignment

CURVE = "curve"
"""The Optuna trial's user attribute that holds what each epoch up to the last rung came to: its
number, loss, accuracy, and the seconds of training so far."""
STARTED_FROM = "started_from"
"""That which holds the number of the trial whose weights it began with, or None."""


@dataclass(frozen=True, slots=True)
class Ended:
    """A trial that is at its end, with the files that it leaves."""

    asked: optuna.Trial
    trial: Trial
    weights: Mapping[str, NDArray[Any]] = field(default_factory=dict)
    model: bytes | None = None
    log: str = ""


@dataclass(slots=True)
class _Open:
    """A trial in evaluation.

    Attributes:
        asked: Optuna's trial.
        trial: What is known of it so far.
        source: Number of the trial with whose weights it is to begin.
        assignment: What is to be trained.
    """

    asked: optuna.Trial
    trial: Trial
    source: int | None = None
    assignment: Assignment | None = None


@dataclass(slots=True)
class Evaluations:
    """Trials in evaluation; each outcome of the engine sends its trial on its way.

    Attributes:
        folder: Where checkpoints lie.
        record: Goals, recipe and seed.
        engine: Measures and trains.
        finished: All trials on record; whoever puts trials there shares the list.
        predictor: Of latencies.
        stopping: By what rule trials are given up.
        known: Trainings of other studies.
        batch: What is decided on a trial rests on those that are at least so many numbers before
            it, whatever else has ended by then; None lets it rest on all that have.
        trial_seconds: Time for the training of one network; None gives it all it needs.
        is_over: Whether trainings are to be laid down at their next rung, for a later search.
        laid_down: Numbers of the trials that were, and epochs that they have been trained.
    """

    folder: StudyFolder
    record: StudyRecord
    engine: Engine
    finished: Sequence[Trial]
    predictor: Predictor | None
    stopping: Stopping | None
    known: KnownResults
    batch: int | None = None
    trial_seconds: float | None = None
    is_over: Callable[[], bool] = lambda: False
    laid_down: dict[int, int] = field(default_factory=dict, init=False)
    _open: dict[int, _Open] = field(default_factory=dict)

    @property
    def open(self) -> Collection[Trial]:
        """The trials in evaluation, as far as they have come."""
        return [one.trial for one in self._open.values()]

    @property
    def lowest(self) -> float:
        """Number of the first of them; infinite where there is none."""
        return min((*self._open, *self.laid_down), default=math.inf)

    def begin(self, proposal: Proposal) -> Ended | None:
        """What can be known without running the network, then the first job.

        Returns:
            The trial, if it is at its end already.
        """
        asked, architecture = proposal.asked, proposal.architecture
        known = self.known.get(architecture.id)
        trial = Trial(
            number=asked.number,
            architecture=architecture,
            status="untrained",
            costs=costs(architecture.lower(len(self.record.data.classes))),
            latency=None if known is None else known.latency,
            predicted_ms=None if proposal.outside else self._predicted(architecture),
            known_from=None if known is None else known.name,
            **proposal.marks,
        )
        self._open[trial.number] = _Open(asked, trial)
        if trial.latency is not None:
            return self._measured(trial)
        broken = broken_limit(trial, self.record.goals.limits)
        if broken is not None:
            return self._close(replace(trial, reason=_said(broken, trial)))
        # Now, when what is on record is the same however long its measurement takes.
        self._open[trial.number].source = self._source(asked, trial)
        self.engine.submit(Measure(trial.number, architecture))
        return None

    def advance(self, outcome: Outcome) -> Ended | None:
        """Takes an outcome; gives its trial back if that is at its end now."""
        trial = self._open[outcome.trial].trial
        match outcome:
            case Measured():
                return self._measured(
                    replace(trial, latency=outcome.latency, latency_seconds=outcome.seconds)
                )
            case Trained():
                trial = replace(
                    trial,
                    curve=outcome.training.curve,
                    training_seconds=outcome.training.curve[-1].seconds,
                )
                if not outcome.training.finished:
                    return self._at_rung(trial)
                trained = replace(trial, status="trained", accuracy=outcome.training.accuracy)
                return self._close(trained, outcome.training.weights, outcome.model)
            case Failed():
                return self._failed(trial, outcome)
            case LaidDown():
                self._lay_down(trial)
                return None

    def _failed(self, trial: Trial, outcome: Failed) -> Ended:
        said = f"{outcome.kind}: {outcome.reason}"
        trial = replace(trial, status="failed", failure=outcome.kind, reason=said)
        if trial.latency is None:
            trial = replace(trial, latency_seconds=outcome.seconds)
        else:
            spent = trial.training_seconds + outcome.seconds
            trial = replace(trial, training_seconds=spent)
        return self._close(trial, log=outcome.log)

    def _before(self, trial: Trial) -> Sequence[Trial]:
        """The trials that decisions on one rest on."""
        if self.batch is None:
            return self.finished
        return [one for one in self.finished if one.number <= trial.number - self.batch]

    def _predicted(self, architecture: Architecture) -> float | None:
        if self.predictor is None:
            return None
        return float(self.predictor.predict([architecture])[0])

    def _measured(self, trial: Trial) -> Ended | None:
        """A trial whose latency is there: refused, known, given up, or trained."""
        broken = broken_limit(trial, self.record.goals.limits)
        if broken is not None:
            return self._close(replace(trial, reason=_said(broken, trial)))
        known = self.known.get(trial.architecture.id)
        if known is not None:
            return self._close(known.applied_to(trial), *known.files())
        stop = None
        if self.stopping is not None and trial.start is None:  # what the user asks for is trained
            stop = self.stopping.before_training(trial, self._before(trial))
        if stop is not None:
            return self._close(_given_up(trial, "untrained", stop))
        if self.is_over():
            self._lay_down(trial)
        else:
            self._begin_training(trial)
        return None

    def _begin_training(self, trial: Trial) -> None:
        """Trains to the first rung; after a kill, from the epoch that was reached."""
        entry = self._open[trial.number]
        found = None if entry.source is None else kept_weights(entry.source, self.folder)
        if found is not None:
            trial = replace(trial, started_from=found.trial)
        entry.trial = trial
        entry.assignment = Assignment(
            trial.architecture,
            # A network's seed is its own, whenever and by whom it is trained.
            derived_seed(self.record.seed, int(trial.architecture.id, 16)),
            until=self.record.recipe.stops[0],
            checkpoint=self.folder.checkpoint(trial.number),
            start=None if found is None else found.weights,
        )
        self._train(entry)

    def _train(self, entry: _Open) -> None:
        assert entry.assignment is not None
        left = self.trial_seconds
        if left is not None:
            before = max((row[-1] for row in entry.asked.user_attrs.get(CURVE, [])), default=0.0)
            left = max(1.0, left - max(before, entry.trial.training_seconds))
        self.engine.submit(Train(entry.trial.number, entry.assignment, left))

    def _source(self, asked: optuna.Trial, trial: Trial) -> int | None:
        """The trial with whose weights one is to begin; after a kill, the same as before."""
        if not self.record.warm_start:
            return None
        if STARTED_FROM not in asked.user_attrs:
            found = nearest_weights(trial, self._before(trial), self.folder)
            asked.set_user_attr(STARTED_FROM, found)
        source: int | None = asked.user_attrs[STARTED_FROM]
        return source

    def _at_rung(self, trial: Trial) -> Ended | None:
        """A trial that is not at its end: stopped, or trained to the next rung."""
        entry = self._open[trial.number]
        entry.trial = trial
        entry.asked.set_user_attr(
            CURVE, [[one.epoch, one.loss, one.accuracy, one.seconds] for one in trial.curve]
        )
        stop = None
        # After a kill, a training is taken up beyond the rung that it was asked to.
        at_rung = len(trial.curve) in self.record.recipe.stops
        if self.stopping is not None and trial.start is None and at_rung:
            stop = self.stopping.at_rung(trial, self._before(trial))
        if stop is not None:
            return self._close(_given_up(trial, "stopped", stop))
        if self.is_over():
            self._lay_down(trial)
            return None
        assert entry.assignment is not None
        done = len(trial.curve)
        until = next((stop for stop in self.record.recipe.stops if stop > done), None)
        entry.assignment = replace(entry.assignment, until=until)
        self._train(entry)
        return None

    def _lay_down(self, trial: Trial) -> None:
        """For a later search, which takes it up before anything else."""
        asked = self._open.pop(trial.number).asked
        self.laid_down[trial.number] = len(asked.user_attrs.get(CURVE, []))

    def _close(
        self,
        trial: Trial,
        weights: Mapping[str, NDArray[Any]] | None = None,
        model: bytes | None = None,
        log: str = "",
    ) -> Ended:
        return Ended(self._open.pop(trial.number).asked, trial, weights or {}, model, log)


def _given_up(trial: Trial, status: Literal["untrained", "stopped"], stop: Stop) -> Trial:
    return replace(
        trial, status=status, reason=stop.reason, expected_accuracy=stop.expected_accuracy
    )


def _said(limit: Limit, trial: Trial) -> str:
    if limit.quantity == "latency_ms" and trial.latency is None:
        return f"predicted latency_ms {trial.predicted_ms:.4g} is far above {limit.most:.4g}"
    value = trial.value(limit.quantity) or math.nan
    most = trial.bound(limit.quantity) or math.nan
    digits = ".4g" if limit.quantity.endswith("_ms") else ",.0f"
    if value > limit.most:
        return f"{limit.quantity} {value:{digits}} is above the limit of {limit.most:{digits}}"
    return (
        f"{limit.quantity} {value:{digits}} may be up to {most:{digits}}, above the limit of"
        f" {limit.most:{digits}}"
    )
