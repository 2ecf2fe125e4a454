"""What became of a study's front on another target: latencies, ranks and fronts, old and new."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median

from mbnas.analysis.agreement import Agreement, agreement
from mbnas.analysis.retarget_record import Precision, RetargetRecord, host_differences
from mbnas.errors import StudyError
from mbnas.measure.host import Host
from mbnas.measure.latency import Latency
from mbnas.search import Goals, Limit, Study, Trial, front, maximize, minimize
from mbnas.search.front import broken_limit, points

REACH = 0.3
"""Share of its latency that a network within reach of the front may have to lose to be on it."""


@dataclass(frozen=True, slots=True)
class Retimed:
    """One network that was timed again.

    Attributes:
        trial: As the study has it; with its confirmed accuracy, if it was confirmed.
        latency: What it takes now.
        old_rank: Its place among the networks that were timed again, by the study's latency; 1 is
            the fastest.
        new_rank: Its place by what it takes now.
    """

    trial: Trial
    latency: Latency
    old_rank: int
    new_rank: int

    @property
    def old_ms(self) -> float:
        """The study's latency."""
        return _latency_ms(self.trial)

    @property
    def new_ms(self) -> float:
        """The latency now."""
        return self.latency.latency_ms

    @property
    def ratio(self) -> float:
        """The new latency as a multiple of the old one."""
        return self.new_ms / self.old_ms

    @property
    def moved(self) -> int:
        """Ranks that it moved, whichever way."""
        return abs(self.new_rank - self.old_rank)

    @property
    def now(self) -> Trial:
        """The trial, had it been timed so in the search."""
        return replace(self.trial, latency=self.latency)


@dataclass(frozen=True, slots=True, kw_only=True)
class Retarget:
    """Trials of a study timed again, and the front that they make.

    Attributes:
        file: Keeps the latencies.
        study: The study.
        host: The machine that timed them, with its threads and its ONNX Runtime.
        precision: Of the networks that were timed; accuracies are always those in 32 bits.
        networks: What was timed, from fast to slow by the study's latency.
        trained: How many networks could have been timed.
        goals: Of the new front.
        old_front: Numbers of the front's trials by the study's latencies, from fast to slow.
        new_front: The same by the new latencies.
        confirmed: Numbers of the trials whose front was confirmed: both fronts are theirs alone.
            Empty where none was, and both are of all that was timed.
    """

    file: Path
    study: Study
    host: Host
    precision: Precision
    networks: tuple[Retimed, ...]
    trained: int
    goals: Goals
    old_front: tuple[int, ...]
    new_front: tuple[int, ...]
    confirmed: tuple[int, ...]

    @property
    def changes(self) -> list[str]:
        """What differs from how the study's latencies were measured, in words."""
        precision = [] if self.precision == "fp32" else ["precision: fp32 there, int8 now"]
        return [*host_differences(self.study.record.host, self.host), *precision]

    @property
    def is_repetition(self) -> bool:
        """Whether nothing differs, so that whatever moved moved by chance."""
        return not self.changes

    @property
    def agreement(self) -> Agreement:
        """Kendall's τ-b of the old latencies and the new ones."""
        return agreement(
            [one.old_ms for one in self.networks], [one.new_ms for one in self.networks]
        )

    @property
    def ratio(self) -> float:
        """Median of the new latencies as multiples of the old ones."""
        return median(one.ratio for one in self.networks)

    @property
    def on_a_front(self) -> list[Retimed]:
        """Networks of the old front or the new one, from fast to slow by the new latencies."""
        members = {*self.old_front, *self.new_front}
        found = [one for one in self.networks if one.trial.number in members]
        return sorted(found, key=lambda one: one.new_rank)

    @property
    def left(self) -> list[int]:
        """Numbers of the old front's trials that are not on the new one."""
        return [number for number in self.old_front if number not in self.new_front]

    @property
    def joined(self) -> list[int]:
        """Numbers of the new front's trials that were not on the old one."""
        return [number for number in self.new_front if number not in self.old_front]

    def movers(self, most: int = 3) -> list[Retimed]:
        """The networks whose rank moved most, the largest moves first."""
        moved = [one for one in self.networks if one.moved]
        return sorted(moved, key=lambda one: -one.moved)[:most]

    def why_off(self, number: int) -> Limit | int:
        """What keeps one of the old front off the new one: a limit, or the trial that beats it."""
        timed = {one.trial.number: one.now for one in self.networks}
        own = timed[number]
        broken = broken_limit(own, self.goals.limits)
        if broken is not None:
            return broken
        # Of the members that are no slower, the most accurate.
        return [one for one in self.new_front if _latency_ms(timed[one]) <= _latency_ms(own)][-1]


def retargeted(
    study: Study,
    file: Path,
    record: RetargetRecord,
    trials: Sequence[Trial],
    goals: Goals,
    confirmed: Mapping[int, float],
) -> Retarget:
    """Holds new latencies against the study's.

    Args:
        study: The study.
        file: Keeps the new latencies.
        record: What it holds: a latency for each of the trials at least.
        trials: What to compare, from fast to slow by the study's latency.
        goals: Of the new front.
        confirmed: Accuracies of the trials that were confirmed, by number. Where there are any,
            they alone make the fronts: a brief accuracy does not compare with theirs.
    """
    latencies = [record.latencies[trial.architecture.id] for trial in trials]
    order = sorted(range(len(trials)), key=lambda at: latencies[at].latency_ms)
    new_ranks = {at: rank for rank, at in enumerate(order, start=1)}
    networks = tuple(
        Retimed(_as_confirmed(trial, goals.quality, confirmed), latency, at + 1, new_ranks[at])
        for at, (trial, latency) in enumerate(zip(trials, latencies, strict=True))
    )
    own = [one for one in networks if not confirmed or one.trial.number in confirmed]
    return Retarget(
        file=file,
        study=study,
        host=record.host,
        precision=record.precision,
        networks=networks,
        trained=len(timed_in_search(study)),
        goals=goals,
        old_front=_numbers(front((one.trial for one in own), latency_goals(study))),
        new_front=_numbers(front((one.now for one in own), goals)),
        confirmed=_numbers(one.trial for one in own) if confirmed else (),
    )


def latency_goals(study: Study, limits: Sequence[Limit] = ()) -> Goals:
    """The study's accuracy against latency, whatever cost it minimised, under its limits.

    Args:
        study: The study.
        limits: Bounds in place of the study's on the same quantities, or beside them.

    Raises:
        StudyError: two limits on one quantity.
    """
    own = study.record.goals
    objectives = [maximize(own.quality), minimize("latency_ms")]
    given = Goals.of(objectives, limits).limits
    replaced = {limit.quantity for limit in given}
    kept = [limit for limit in own.limits if limit.quantity not in replaced]
    return Goals.of(objectives, [*kept, *given])


def timed_in_search(study: Study) -> list[Trial]:
    """The trials that can be retargeted, each network once, from fast to slow."""
    goals = latency_goals(study)
    found = [
        trial for trial in study.trials if trial.status == "trained" and points([trial], goals)
    ]
    return sorted(found, key=lambda trial: (_latency_ms(trial), trial.number))


def within_reach(
    study: Study, reach: float = REACH, confirmed: Collection[int] = ()
) -> list[Trial]:
    """The front, and what would be on it if it were faster by a share of its latency.

    Args:
        study: The study.
        reach: The share; 0 gives the front, 1 every trained network.
        confirmed: Numbers of trials that are taken wherever they are.

    Returns:
        From fast to slow.

    Raises:
        StudyError: no share, or no trial was trained and timed.
    """
    if not 0 <= reach <= 1:
        raise StudyError(f"reach = {reach:g}: must be between 0, the front, and 1, every network")
    trained = timed_in_search(study)
    if not trained:
        raise StudyError(f"{study.folder.path}: has no trained trial to time again; search first")
    goals = latency_goals(study)
    members = front(trained, goals)
    numbers = {*_numbers(members), *confirmed}
    heights = points(members, goals)

    def is_within(trial: Trial) -> bool:
        ((accuracy, latency_ms),) = points([trial], goals)
        faster_ms = (1 - reach) * latency_ms
        return all(height < accuracy for height, cost in heights if cost <= faster_ms)

    return [trial for trial in trained if trial.number in numbers or is_within(trial)]


def _as_confirmed(trial: Trial, quality: str, confirmed: Mapping[int, float]) -> Trial:
    """A trial with its confirmed accuracy, if it has one."""
    accuracy = confirmed.get(trial.number)
    if accuracy is None:
        return trial
    if quality == "accuracy":
        return replace(trial, accuracy=accuracy)
    *before, last = trial.curve  # where a trial has its balanced accuracy
    return replace(trial, curve=(*before, replace(last, balanced_accuracy=accuracy)))


def _numbers(trials: Iterable[Trial]) -> tuple[int, ...]:
    return tuple(trial.number for trial in trials)


def _latency_ms(trial: Trial) -> float:
    """The latency of a trial that has one."""
    assert trial.latency is not None
    return trial.latency.latency_ms
