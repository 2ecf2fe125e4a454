"""The driver: asks Optuna for networks, has them evaluated, tells Optuna what came of it.

It alone speaks with Optuna and writes the study folder; engines only evaluate.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace

import optuna
from optuna.trial import TrialState

from mbnas.engine import Engine
from mbnas.search.annotation import annotate
from mbnas.search.budget import Budget
from mbnas.search.evaluation import Ended, Evaluations
from mbnas.search.events import Found, Observer, Snapshot
from mbnas.search.folder import StudyFolder
from mbnas.search.front import front, hypervolume, is_settled, points
from mbnas.search.proposals import Proposal, Proposals
from mbnas.search.record import StudyRecord
from mbnas.search.savings import is_paid, savings
from mbnas.search.steered import Steering
from mbnas.search.study import RESULT
from mbnas.search.trial import Trial

REPEATS_BEFORE_GIVING_UP = 200


@dataclass(slots=True)
class Driver:
    """Runs one search on a study folder that it holds locked.

    Attributes:
        folder: The study folder.
        record: What the study is made with.
        study: Optuna's study.
        engine: Evaluates.
        proposals: Where trials come from.
        evaluations: The trials in evaluation; it shares the list of trials on record.
        trials: The trials on record.
        space_size: Number of points of the space.
        observer: Hears how it goes.
        budget: When the search ends.
        steering: What is wished from outside meanwhile.
    """

    folder: StudyFolder
    record: StudyRecord
    study: optuna.Study
    engine: Engine
    proposals: Proposals
    evaluations: Evaluations
    trials: list[Trial]
    space_size: int
    observer: Observer
    budget: Budget
    steering: Steering
    _known: dict[str, Trial] = field(default_factory=dict)
    _repeats: int = 0
    _before: int = 0

    def run(self) -> None:
        """Searches until the budget is spent, no new network is found, or a stop is wished."""
        for trial in self.trials:
            self._remember(trial)
        self._before = self._evaluated
        with self.steering.running(self._before):
            self._search()

    def _search(self) -> None:
        found = Found(self._before, self.proposals.broken_off, self.proposals.enqueued)
        self.observer.search_began(found, self._snapshot())
        while self._wanted():
            if self.steering.heed() == "paused":
                self._rest()
            else:
                self._begin(self.proposals.next())
                self._work_until_open(self.engine.capacity - 1)
        self._work_until_open(0)
        if self._used_up() and not self._spent():
            self.observer.space_used_up(self._repeats)

    def _work_until_open(self, most: int) -> None:
        """Takes outcomes until at most so many trials are in evaluation."""
        while len(self.evaluations.open) > most:
            self._advance()

    def _rest(self) -> None:
        """What the engine still works on goes on to its end or rung; after that, a moment."""
        if self.evaluations.open:
            self._advance()
        else:
            self.steering.rest()

    def _advance(self) -> None:
        self._end(self.evaluations.advance(self.engine.wait(self.observer.epoch_ended)))

    @property
    def _evaluated(self) -> int:
        """Trials that count towards the budget."""
        return sum(is_paid(trial) for trial in self.trials)

    def _wanted(self) -> bool:
        """Whether another trial is to begin; what is in line does so whatever the trials."""
        if self.steering.heed() == "stopping":
            return False
        if self.proposals.broken_off:
            return True
        if self.proposals.enqueued:
            return not self.budget.out_of_time(self.steering.elapsed)
        return not self._spent() and not self._used_up()

    def _spent(self) -> bool:
        """Whether the budget is spent, trials in evaluation included."""
        open_ = sum(is_paid(trial) for trial in self.evaluations.open)
        return self.budget.spent(self._evaluated + open_, self.steering.elapsed)

    def _used_up(self) -> bool:
        """Whether no new network is to be expected from this space and sampler."""
        inside = sum(not trial.outside for trial in self._known.values())
        return self._repeats >= REPEATS_BEFORE_GIVING_UP or inside >= self.space_size

    def _begin(self, proposal: Proposal) -> None:
        """Sends a trial on its way, unless its result is there already."""
        asked, architecture = proposal.asked, proposal.architecture
        left_behind = self.folder.read_result(asked.number)
        if left_behind is not None and left_behind.architecture.id == architecture.id:
            self._tell(asked, left_behind)
            return
        # The same network in evaluation: its result is waited for, not made twice.
        while any(trial.architecture.id == architecture.id for trial in self.evaluations.open):
            self._advance()
        known = self._known.get(architecture.id)
        if known is not None and (is_settled(known, self.record.goals) or not proposal.is_enqueued):
            self._repeats += 1
            self._end(Ended(asked, replace(known.as_reused(asked.number), **proposal.marks)))
            return
        self._repeats = 0
        self.observer.trial_began(asked.number, architecture)
        self._end(self.evaluations.begin(proposal))

    def _end(self, ended: Ended | None) -> None:
        if ended is not None:
            self.folder.write_trial(ended.trial, ended.weights, ended.model)
            self._tell(ended.asked, ended.trial)

    def _tell(self, asked: optuna.Trial, trial: Trial) -> None:
        """Files first, Optuna second: what Optuna has as finished is whole on disk."""
        annotate(self.study, asked, trial, self.folder)
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
        if trial.outside:
            # Any other state would leave Optuna's samplers no parameters that all trials have.
            self.study.tell(asked, state=TrialState.FAIL)
        elif is_settled(trial, self.record.goals):
            self.study.tell(asked, self._values(trial))
        else:
            # Of what was stopped, Optuna takes no values when there are two objectives.
            failed = self._origin(trial).status == "failed"
            self.study.tell(asked, state=TrialState.FAIL if failed else TrialState.PRUNED)
        self.trials.append(trial)
        self._remember(trial)
        kept = [member.number for member in front(self.trials, self.record.goals)]
        open_ = self.evaluations.open
        sources = [trial.started_from for trial in open_ if trial.started_from is not None]
        needed = [*kept, *(trial.number for trial in open_), *sources]
        self.folder.prune(needed, latest=trial.number)
        self.steering.trial_ended(trial.number, self._evaluated)
        self.observer.trial_ended(trial, self._snapshot())

    def _remember(self, trial: Trial) -> None:
        """Keeps the first result of each network; one that is settled before one that is not."""
        there = self._known.get(trial.architecture.id)
        if trial.status != "reused" and (there is None or not is_settled(there, self.record.goals)):
            self._known[trial.architecture.id] = trial

    def _origin(self, trial: Trial) -> Trial:
        """The trial whose result this is."""
        return trial if trial.reused_from is None else self._known[trial.architecture.id]

    def _values(self, trial: Trial) -> tuple[float, float]:
        """What Optuna's samplers see; a network that broke a limit has accuracy 0."""
        goals = self.record.goals
        cost = trial.value(goals.cost)
        return (trial.value(goals.quality) or 0.0, math.inf if cost is None else cost)

    def _snapshot(self) -> Snapshot:
        members = tuple(front(self.trials, self.record.goals))
        return Snapshot(
            evaluated=self._evaluated,
            wanted=self.budget.trials,
            saved=savings(self.trials, self.record.recipe.epochs),
            front=members,
            hypervolume=hypervolume(points(members, self.record.goals), self.record.reference),
            seconds_left=self.budget.seconds_left(
                self._evaluated, self._evaluated - self._before, self.steering.elapsed
            ),
        )
