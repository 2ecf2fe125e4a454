"""The driver: asks Optuna for networks, has them evaluated, tells Optuna what came of it.

It alone speaks with Optuna and writes the study folder; engines only evaluate. A trial passes
through the order of the design: known id → arithmetic limits → latency and its limits → training.
"""

from __future__ import annotations

import math
import time
import warnings
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import optuna
from numpy.typing import NDArray
from optuna.trial import TrialState

from mbnas.engine import Engine, Failed, Measure, Measured, Outcome, Train, Trained
from mbnas.measure.predictor import Predictor
from mbnas.network import Architecture, costs
from mbnas.search.budget import Budget
from mbnas.search.events import Found, Observer, Snapshot
from mbnas.search.folder import StudyFolder
from mbnas.search.front import broken_limit, front, hypervolume, points
from mbnas.search.objectives import Limit
from mbnas.search.record import StudyRecord
from mbnas.search.samplers import SamplerSource, derived_seed
from mbnas.search.stopping import Stop, Stopping
from mbnas.search.study import RESULT, broken_off, read_trials
from mbnas.search.trial import Trial
from mbnas.search.warm_start import Start, kept_weights, nearest_weights
from mbnas.space import SearchSpace
from mbnas.training.trainer import Assignment

REPEATS_BEFORE_GIVING_UP = 200
CURVE = "curve"
"""The Optuna trial's user attribute that holds epoch, loss and accuracy up to the last rung."""
STARTED_FROM = "started_from"
"""That which holds the number of the trial whose weights it began with, or None."""


@dataclass(slots=True)
class _Open:
    """A trial in evaluation: Optuna's trial, what is known of it so far, what is to be trained."""

    asked: optuna.Trial
    trial: Trial
    assignment: Assignment | None = None


@dataclass(slots=True)
class Driver:
    """Runs one search on a study folder that it holds locked."""

    folder: StudyFolder
    record: StudyRecord
    space: SearchSpace
    study: optuna.Study
    engine: Engine
    samplers: SamplerSource
    observer: Observer
    budget: Budget
    predictor: Predictor | None = None
    stopping: Stopping | None = None
    _open: dict[int, _Open] = field(default_factory=dict)
    _trials: list[Trial] = field(default_factory=list)
    _known: dict[str, Trial] = field(default_factory=dict)
    _asked: int = 0
    _repeats: int = 0
    _started: float = 0.0
    _before: int = 0

    def run(self) -> None:
        """Searches until the budget is spent or no new network is found."""
        self._trials = read_trials(self.study, self.folder)
        self._known = {t.architecture.id: t for t in reversed(self._trials) if t.status != "reused"}
        self._asked = len(self.study.get_trials(deepcopy=False))
        self._started = time.monotonic()
        self._before = self._evaluated
        if self._asked:
            self.samplers.resume()
        resumed = broken_off(self.study)
        self.observer.search_began(Found(self._before, len(resumed)), self._snapshot())
        waiting = deque(frozen.number for frozen in resumed)
        while waiting or not self._done():
            self._begin(self._reattached(waiting.popleft()) if waiting else self._ask())
            self._work_until_open(self.engine.capacity - 1)
        self._work_until_open(0)
        if self._used_up() and not self._spent():
            self.observer.space_used_up(self._repeats)

    def _work_until_open(self, most: int) -> None:
        """Takes outcomes until at most so many trials are in evaluation."""
        while len(self._open) > most:
            self._advance(self.engine.wait(self.observer.epoch_ended))

    @property
    def _evaluated(self) -> int:
        return sum(trial.status != "reused" for trial in self._trials)

    def _done(self) -> bool:
        return self._spent() or self._used_up()

    def _spent(self) -> bool:
        """Whether the budget is spent, trials in evaluation included."""
        return self.budget.spent(self._evaluated + len(self._open), self._elapsed)

    @property
    def _elapsed(self) -> float:
        return time.monotonic() - self._started

    def _used_up(self) -> bool:
        """Whether no new network is to be expected from this space and sampler."""
        return self._repeats >= REPEATS_BEFORE_GIVING_UP or len(self._known) >= self.space.size

    def _ask(self) -> optuna.Trial:
        self.study.sampler = self.samplers.for_trial(self._asked)
        self._asked += 1
        with warnings.catch_warnings():
            # Optuna's GP says so of networks that were refused before their cost was measured.
            warnings.filterwarnings("ignore", message="Clip non-finite values")
            return self.study.ask(self.samplers.distributions)

    def _reattached(self, number: int) -> optuna.Trial:
        """A trial that was broken off, choices that it lacks drawn as they would have been."""
        self.study.sampler = self.samplers.for_trial(number)
        storage = self.study._storage  # Optuna has no public way back to a running trial
        trial_id = storage.get_trial_id_from_study_id_trial_number(self.study._study_id, number)
        asked = optuna.Trial(self.study, trial_id)
        for choice in self.space.choices:
            asked.suggest_categorical(choice.name, choice.labels)
        return asked

    def _begin(self, asked: optuna.Trial) -> None:
        """Everything that can be known without running the network, then the first job."""
        architecture = self.space.architecture(asked.params)
        left_behind = self.folder.read_result(asked.number)
        if left_behind is not None and left_behind.architecture.id == architecture.id:
            self._tell(asked, left_behind)
            return
        # The same network in evaluation: its result is waited for, not made twice.
        while any(one.trial.architecture.id == architecture.id for one in self._open.values()):
            self._advance(self.engine.wait(self.observer.epoch_ended))
        known = self._known.get(architecture.id)
        if known is not None:
            self._repeats += 1
            self._end(asked, known.as_reused(asked.number, dict(asked.params)))
            return
        self._repeats = 0
        trial = Trial(
            number=asked.number,
            params=dict(asked.params),
            architecture=architecture,
            status="untrained",
            costs=costs(architecture.lower(len(self.record.data.classes))),
            predicted_ms=self._predicted(architecture),
        )
        self.observer.trial_began(trial.number, architecture)
        self._open[trial.number] = _Open(asked, trial)
        broken = broken_limit(trial, self.record.goals.limits)
        if broken is not None:
            self._close(replace(trial, reason=_said(broken, trial)))
        else:
            self.engine.submit(Measure(trial.number, architecture))

    def _predicted(self, architecture: Architecture) -> float | None:
        if self.predictor is None:
            return None
        return float(self.predictor.predict([architecture])[0])

    def _advance(self, outcome: Outcome) -> None:
        """Takes an outcome and sends its trial on its way."""
        trial = self._open[outcome.trial].trial
        match outcome:
            case Measured():
                trial = replace(trial, latency=outcome.latency, latency_seconds=outcome.seconds)
                broken = broken_limit(trial, self.record.goals.limits)
                if broken is not None:
                    self._close(replace(trial, reason=_said(broken, trial)))
                    return
                stop = None
                if self.stopping is not None:
                    stop = self.stopping.before_training(trial, self._trials)
                if stop is not None:
                    self._close(_given_up(trial, "untrained", stop))
                    return
                self._begin_training(trial)
            case Trained():
                trial = replace(
                    trial,
                    curve=outcome.training.curve,
                    training_seconds=outcome.training.curve[-1].seconds,
                )
                if not outcome.training.finished:
                    self._at_rung(trial)
                    return
                trained = replace(trial, status="trained", accuracy=outcome.training.accuracy)
                self._close(trained, outcome.training.weights, outcome.model)
            case Failed():
                trial = replace(trial, status="failed", reason=outcome.reason)
                if trial.latency is None:
                    self._close(replace(trial, latency_seconds=outcome.seconds))
                else:
                    spent = trial.training_seconds + outcome.seconds
                    self._close(replace(trial, training_seconds=spent))

    def _begin_training(self, trial: Trial) -> None:
        """Trains to the first rung; after a kill, from the epoch that was reached."""
        entry = self._open[trial.number]
        found = self._start(entry.asked, trial)
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
        self.engine.submit(Train(trial.number, entry.assignment))

    def _start(self, asked: optuna.Trial, trial: Trial) -> Start | None:
        """Weights to begin with; after a kill, the same as before."""
        if not self.record.warm_start:
            return None
        if STARTED_FROM in asked.user_attrs:
            source = asked.user_attrs[STARTED_FROM]
            return None if source is None else kept_weights(source, self.folder)
        found = nearest_weights(trial, self._trials, self.folder)
        asked.set_user_attr(STARTED_FROM, None if found is None else found.trial)
        return found

    def _at_rung(self, trial: Trial) -> None:
        """A trial that is not at its end: stopped, or trained to the next rung."""
        entry = self._open[trial.number]
        entry.trial = trial
        entry.asked.set_user_attr(
            CURVE, [[one.epoch, one.loss, one.accuracy] for one in trial.curve]
        )
        stop = None
        # After a kill, a training is taken up beyond the rung that it was asked to.
        if self.stopping is not None and len(trial.curve) in self.record.recipe.stops:
            stop = self.stopping.at_rung(trial, self._trials)
        if stop is not None:
            self._close(_given_up(trial, "stopped", stop))
            return
        assert entry.assignment is not None
        done = len(trial.curve)
        until = next((stop for stop in self.record.recipe.stops if stop > done), None)
        entry.assignment = replace(entry.assignment, until=until)
        self.engine.submit(Train(trial.number, entry.assignment))

    def _close(
        self,
        trial: Trial,
        weights: Mapping[str, NDArray[Any]] | None = None,
        model: bytes | None = None,
    ) -> None:
        self._end(self._open.pop(trial.number).asked, trial, weights, model)

    def _end(
        self,
        asked: optuna.Trial,
        trial: Trial,
        weights: Mapping[str, NDArray[Any]] | None = None,
        model: bytes | None = None,
    ) -> None:
        self.folder.write_trial(trial, weights or {}, model)
        self._tell(asked, trial)

    def _tell(self, asked: optuna.Trial, trial: Trial) -> None:
        """Files first, Optuna second: what Optuna has as finished is whole on disk."""
        asked.set_user_attr(RESULT, trial.to_record())
        told = set(self.study.get_trials(deepcopy=False)[asked.number].constraints)  # by a kill
        for limit in self.record.goals.limits:
            value = trial.bound(limit.quantity)
            if limit.quantity not in told:
                # As a share of the limit, so that limits in bytes and milliseconds weigh alike.
                # All or none, Optuna's GP insists: what is not known counts as neither way.
                asked.set_constraint(
                    limit.quantity, 0.0 if value is None else value / limit.most - 1
                )
        if trial.accuracy is not None or broken_limit(trial, self.record.goals.limits) is not None:
            self.study.tell(asked, self._values(trial))
        else:
            # Of what was stopped, Optuna takes no values when there are two objectives.
            failed = self._origin(trial).status == "failed"
            self.study.tell(asked, state=TrialState.FAIL if failed else TrialState.PRUNED)
        self._trials.append(trial)
        self._known.setdefault(trial.architecture.id, trial)
        kept = [member.number for member in front(self._trials, self.record.goals)]
        sources = [one.trial.started_from for one in self._open.values()]
        needed = [*kept, *self._open, *(source for source in sources if source is not None)]
        self.folder.prune(needed, latest=trial.number)
        self.observer.trial_ended(trial, self._snapshot())

    def _origin(self, trial: Trial) -> Trial:
        """The trial whose result this is."""
        return trial if trial.reused_from is None else self._known[trial.architecture.id]

    def _values(self, trial: Trial) -> tuple[float, float]:
        """What Optuna's samplers see; a network that broke a limit has accuracy 0."""
        goals = self.record.goals
        cost = trial.value(goals.cost)
        return (trial.value(goals.quality) or 0.0, math.inf if cost is None else cost)

    def _snapshot(self) -> Snapshot:
        members = tuple(front(self._trials, self.record.goals))
        return Snapshot(
            evaluated=self._evaluated,
            wanted=self.budget.trials,
            reused=len(self._trials) - self._evaluated,
            front=members,
            hypervolume=hypervolume(points(members, self.record.goals), self.record.reference),
            seconds_left=self.budget.seconds_left(
                self._evaluated, self._evaluated - self._before, self._elapsed
            ),
        )


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
