"""The driver: asks Optuna for networks, has them evaluated, tells Optuna what came of it.

It alone speaks with Optuna and writes the study folder; engines only evaluate.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from mbnas.engine import Engine
from mbnas.network import Architecture
from mbnas.search.budget import Budget, Spent
from mbnas.search.evaluation import Ended, Evaluations
from mbnas.search.events import Found, Observer, Snapshot
from mbnas.search.front import front, hypervolume, is_settled, points
from mbnas.search.interruption import interruptible
from mbnas.search.ledger import Ledger
from mbnas.search.proposals import Proposal, Proposals
from mbnas.search.savings import is_paid
from mbnas.search.steered import Steering
from mbnas.search.trial import Trial

REPEATS_BEFORE_GIVING_UP = 200


@dataclass(slots=True)
class Driver:
    """Runs one search on a study folder that it holds locked.

    With a batch of N, trials are told in the order of their numbers, and trial m is asked for when
    those up to m - N are told and no others. So all that is decided on it rests on these, whatever
    ended when, on whichever worker, and however often the search was broken off.

    Attributes:
        ledger: The trials on record.
        engine: Evaluates.
        proposals: Where trials come from.
        evaluations: The trials in evaluation.
        space_size: Number of points of the space.
        observer: Hears how it goes.
        budget: When the search ends.
        steering: What is wished from outside meanwhile.
        batch: Trials in evaluation at once; None begins and tells them as places become free.
    """

    ledger: Ledger
    engine: Engine
    proposals: Proposals
    evaluations: Evaluations
    space_size: int
    observer: Observer
    budget: Budget
    steering: Steering
    batch: int | None
    _before: Spent = field(default=Spent(0, 0, 0.0), init=False)
    _held: dict[int, Ended] = field(default_factory=dict, init=False)
    _repeats: int = field(default=0, init=False)

    def run(self) -> None:
        """Searches until the budget is spent, no new network is found, or a stop is wished.

        Ctrl-C, or a SIGTERM, lets what is trained end its epoch; a second one ends at once.

        Raises:
            StudyError: too many trials fail, or the folder cannot be written.
            KeyboardInterrupt: it was interrupted, once or twice; nothing is lost.
        """
        self._before = Spent(self.ledger.evaluated, self.ledger.epochs, 0.0)
        self.evaluations.is_over = lambda: self.budget.is_over(self._spent())
        with self.steering.running(self._before), interruptible(self.steering.interrupt):
            self._search()
        if self.steering.is_interrupted:
            raise KeyboardInterrupt

    def _search(self) -> None:
        found = Found(self._before.trials, self.proposals.broken_off, self.proposals.enqueued)
        self.observer.search_began(found, self._snapshot())
        while self._wanted():
            if self.steering.heed() == "paused":
                self._rest()
            else:
                self._begin(self.proposals.next())
                self._work_until_open((self.batch or self.engine.capacity) - 1)
        if self.evaluations.open and self.budget.is_over(self._spent()):
            self.observer.time_is_up(len(self.evaluations.open))
        while self.evaluations.open:
            self._advance()
        if not self._is_broken_off():
            self._work_until_open(0)
        if self._held:
            self.observer.trials_wait(len(self._held))
        if self._used_up() and not self.budget.is_spent(self._spent()):
            self.observer.space_used_up(self._repeats)

    def _work_until_open(self, most: int) -> None:
        """Takes outcomes until at most so many trials are begun and not told."""
        while len(self.evaluations.open) + len(self._held) > most:
            first = min(self._held, default=None)
            if first is not None and first < self.evaluations.lowest:
                self._tell(self._held.pop(first))
            elif self.evaluations.open:
                self._advance()
            else:
                return  # the rest waits for one that was laid down, until the search goes on

    def _rest(self) -> None:
        """What the engine still works on goes on to its end or rung; after that, a moment."""
        if self.evaluations.open:
            self._advance()
        else:
            self.steering.rest()

    def _advance(self) -> None:
        self._end(self.evaluations.advance(self.engine.wait(self.observer.epoch_ended)))

    def _spent(self) -> Spent:
        """What is used up; trials in evaluation count, and what broken off ones were trained."""
        open_ = [one for one in self._in_evaluation() if is_paid(one)]
        trained = {one.number: len(one.curve) for one in open_ if one.curve}
        epochs = self.ledger.begun | self.evaluations.laid_down | trained
        return Spent(
            self.ledger.evaluated + len(open_),
            self.ledger.epochs + sum(epochs.values()),
            self.steering.elapsed,
        )

    def _in_evaluation(self) -> Iterator[Trial]:
        yield from self.evaluations.open
        yield from (ended.trial for ended in self._held.values())

    def _wanted(self) -> bool:
        """Whether another trial is to begin; what is in line does so whatever the trials."""
        if self.steering.heed() == "stopping" or self.evaluations.laid_down:
            return False
        if self.proposals.broken_off or self.proposals.enqueued:
            return not self.budget.is_over(self._spent())
        return not self.budget.is_spent(self._spent()) and not self._used_up()

    def _is_broken_off(self) -> bool:
        """Whether more would begin, but for a stop or a bound of time or epochs.

        What has ended by then is written, but is told in its turn when the search goes on.
        """
        is_stopped = self.steering.heed() == "stopping" or bool(self.evaluations.laid_down)
        return is_stopped or self.budget.is_over(self._spent())

    def _used_up(self) -> bool:
        """Whether no new network is to be expected from this space and sampler."""
        inside = self.ledger.networks_of_the_space
        return self._repeats >= REPEATS_BEFORE_GIVING_UP or inside >= self.space_size

    def _begin(self, proposal: Proposal) -> None:
        """Sends a trial on its way, unless its result is there already."""
        asked, architecture = proposal.asked, proposal.architecture
        left_behind = self.ledger.folder.read_result(asked.number)
        if left_behind is not None and left_behind.architecture.id == architecture.id:
            self._hold(Ended(asked, left_behind))
            return
        known = self._known(architecture)
        if known is None and self.evaluations.laid_down:
            # Perhaps the same network's first trial, which was waited for.
            self.evaluations.laid_down[asked.number] = self.ledger.begun.get(asked.number, 0)
            return
        if known is not None and (
            is_settled(known, self.ledger.record.goals) or not proposal.is_enqueued
        ):
            self._repeats += 1
            self._end(Ended(asked, replace(known.as_reused(asked.number), **proposal.marks)))
            return
        self._repeats = 0
        self.observer.trial_began(asked.number, architecture)
        self._end(self.evaluations.begin(proposal))

    def _known(self, architecture: Architecture) -> Trial | None:
        """A network's result; if it is in evaluation, that is waited for, not made twice."""
        while any(trial.architecture.id == architecture.id for trial in self.evaluations.open):
            self._advance()
        held = (ended.trial for ended in self._held.values())
        return self.ledger.known(architecture.id) or next(
            (trial for trial in held if trial.architecture.id == architecture.id), None
        )

    def _end(self, ended: Ended | None) -> None:
        if ended is not None:
            self.ledger.write(ended)
            self._hold(ended)

    def _hold(self, ended: Ended) -> None:
        """Keeps a trial that has ended until it is its turn to be told."""
        if self.batch is None:
            self._tell(ended)
        else:
            self._held[ended.trial.number] = ended
            self.steering.trial_ended(ended.trial.number)

    def _tell(self, ended: Ended) -> None:
        trial = ended.trial
        self.ledger.tell(ended.asked, trial)
        snapshot = self._snapshot()
        needed = [one.number for one in (*snapshot.front, *self._in_evaluation())]
        self.ledger.folder.prune([*needed, *self.ledger.sources()], latest=trial.number)
        self.steering.trial_ended(trial.number)
        self.steering.trial_told(self._done())
        self.observer.trial_ended(trial, snapshot)
        self.ledger.check_failures(trial)

    def _done(self) -> Spent:
        """What is used up by the trials on record."""
        return Spent(self.ledger.evaluated, self.ledger.epochs, self.steering.elapsed)

    def _snapshot(self) -> Snapshot:
        trials, record = self.ledger.trials, self.ledger.record
        members = tuple(front(trials, record.goals))
        return Snapshot(
            evaluated=self.ledger.evaluated,
            wanted=self.budget.trials,
            front=members,
            hypervolume=hypervolume(points(members, record.goals), record.reference),
            seconds_left=self.budget.seconds_left(self._before, self._done()),
        )
