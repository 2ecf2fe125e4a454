"""What confirming a front has shown."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import fmean, mean, stdev

import numpy as np

from mbnas.analysis.agreement import Agreement, agreement
from mbnas.analysis.contenders import Contender
from mbnas.analysis.contest import Contested
from mbnas.analysis.test_part import Opening, TestResults
from mbnas.analysis.uncertainty import Draws, accuracy_draws, cost_draws, pooled_deviation
from mbnas.analysis.versus import Standing, Versus, versus
from mbnas.search import Study
from mbnas.search.objectives import Goals
from mbnas.training.recipe import Recipe

SURE = 0.95
_NORMAL_95 = 1.96


@dataclass(frozen=True, slots=True)
class Place:
    """Where a network stands among those of a study; a baseline, or one beyond a limit, nowhere.

    Attributes:
        is_on_front: Whether it is on the confirmed front.
        probability: That it is, given how accuracies and costs vary.
        tied_with: The next cheaper network of the confirmed front, if it is not surely worse.
    """

    is_on_front: bool = False
    probability: float = 0.0
    tied_with: str | None = None


@dataclass(frozen=True, slots=True)
class Confirmed:
    """A network that was trained fully, with several seeds, and then tested.

    Attributes:
        contested: Its trainings and timings.
        validation: Validation accuracy of each training, of the quality searched for.
        test: Test accuracy of each, of the same quality.
        test_accuracy: Plain test accuracy of each.
        cost: What the study minimises, timed anew where it is timed.
        cost_error: Its standard error.
        brief: Its trial's accuracy; None of a baseline.
        was_on_front: Whether its trial is on the study's front.
        place_now: Where it stands among the study's networks.
        last_fifths: What the last fifth of the epochs brought each training.
    """

    contested: Contested
    validation: tuple[float, ...]
    test: tuple[float, ...]
    test_accuracy: tuple[float, ...]
    cost: float
    cost_error: float
    brief: float | None
    was_on_front: bool
    place_now: Place
    last_fifths: tuple[float, ...]

    @property
    def last_fifth(self) -> float:
        """What the last fifth of the epochs brought, as a mean over its trainings."""
        return fmean(self.last_fifths)

    @property
    def name(self) -> str:
        """What it is called."""
        return self.contested.contender.name

    @property
    def trial(self) -> int | None:
        """Its trial's number; None of a baseline."""
        return self.contested.contender.trial

    @property
    def is_on_front(self) -> bool:
        """Whether it is on the confirmed front."""
        return self.place_now.is_on_front

    @property
    def place(self) -> str:
        """What became of its place on the front, in a word."""
        if self.trial is None:
            return "baseline"
        if self.was_on_front:
            return "kept" if self.is_on_front else "left"
        return "joined" if self.is_on_front else "off"

    @property
    def best_run(self) -> int:
        """The training that is best on the validation part: whose weights one takes home."""
        return max(range(len(self.validation)), key=lambda at: self.validation[at])


@dataclass(frozen=True, slots=True)
class Confirmation:
    """A confirmed front.

    Attributes:
        networks: Every network that was trained, baselines last.
        failed: Those with a training that failed.
        missing: Those that are not trained, timed and tested yet.
        failed_members: How many of the failed are on the study's front.
        missing_members: How many of the missing are.
        recipe: By which they were trained.
        seeds: Of each network's trainings.
        deviation: Standard deviation between seeds, pooled over all networks.
        agreement: Of the order of the brief accuracies with that of the full ones.
        versus: The confirmed front against the baselines, by test accuracy; which of its networks
            is held against which is chosen by validation accuracy. None without any.
        openings: When the test part was opened.
        quality: The accuracy searched for.
        cost: What is minimised.
    """

    networks: tuple[Confirmed, ...]
    failed: tuple[Contested, ...]
    missing: tuple[Contender, ...]
    failed_members: int
    missing_members: int
    recipe: Recipe
    seeds: tuple[int, ...]
    deviation: float
    agreement: Agreement
    versus: Versus | None
    openings: tuple[Opening, ...]
    quality: str
    cost: str

    @property
    def front(self) -> list[Confirmed]:
        """The confirmed front, from cheap to costly."""
        return sorted((one for one in self.networks if one.is_on_front), key=lambda one: one.cost)

    @property
    def last_fifth_error(self) -> float:
        """Standard error of each network's `last_fifth`; the trainings' spread is pooled."""
        deviation = pooled_deviation([one.last_fifths for one in self.networks])
        return deviation / math.sqrt(len(self.seeds))

    def of_trial(self, number: int) -> Confirmed | None:
        """The network of a trial, if it was confirmed."""
        return next((one for one in self.networks if one.trial == number), None)


def confirmation(
    study: Study,
    found: Sequence[Contested],
    tested: TestResults,
    recipe: Recipe,
    seeds: tuple[int, ...],
    missing: Sequence[Contender],
    images: float,
) -> Confirmation:
    """Reads trainings, timings and tests together.

    The front is chosen by the mean validation accuracy of the seeds, so that the test accuracy of
    its members flatters nobody.

    Args:
        study: The study.
        found: The networks that have been tested, or failed.
        tested: What they reached.
        recipe: By which they were trained.
        seeds: Of each network's trainings.
        missing: Networks that are to come.
        images: How many images tell an accuracy as exactly as the validation part does.
    """
    goals = study.record.goals
    trained = [one for one in found if one.failure is None]
    failed = [one for one in found if one.failure is not None]
    own = [one for one in trained if one.contender.trial is not None]
    places = _places(own, goals, images)
    was = {trial.architecture.id for trial in study.front}

    def was_on_front(one: Contender) -> bool:
        return one.trial is not None and one.id in was

    networks = [
        Confirmed(
            contested=one,
            validation=one.qualities(goals.quality),
            test=tuple(tested.accuracy(file.stem, goals.quality) for file in one.weights),
            test_accuracy=tuple(tested.accuracy(file.stem, "accuracy") for file in one.weights),
            cost=one.cost(goals.cost),
            cost_error=one.cost_error(goals.cost),
            brief=_brief(one, study),
            was_on_front=was_on_front(one.contender),
            place_now=places.get(one.contender.trial, Place()),
            last_fifths=one.last_fifths(goals.quality),
        )
        for one in sorted(trained, key=lambda one: one.contender.trial is None)
    ]
    known = [one for one in networks if one.brief is not None]
    return Confirmation(
        networks=tuple(networks),
        failed=tuple(failed),
        missing=tuple(missing),
        failed_members=sum(was_on_front(one.contender) for one in failed),
        missing_members=sum(map(was_on_front, missing)),
        recipe=recipe,
        seeds=seeds,
        deviation=pooled_deviation([one.validation for one in networks]),
        agreement=agreement(
            [one.brief or 0.0 for one in known], [mean(one.validation) for one in known]
        ),
        versus=_versus(study, networks, tested),
        openings=tested.openings,
        quality=goals.quality,
        cost=goals.cost,
    )


def spread(values: Sequence[float]) -> float:
    """Standard deviation of a network's trainings; 0 of a single one."""
    return stdev(values) if len(values) > 1 else 0.0


def _brief(one: Contested, study: Study) -> float | None:
    number = one.contender.trial
    return None if number is None else study.trial(number).value(study.record.goals.quality)


def is_allowed(one: Contested, goals: Goals) -> bool:
    """Whether no limit is broken; of what is timed, by the interval's upper end."""
    return all(
        one.cost(limit.quantity) + _NORMAL_95 * one.cost_error(limit.quantity) <= limit.most
        for limit in goals.limits
    )


def _places(own: Sequence[Contested], goals: Goals, images: float) -> dict[int | None, Place]:
    """Where each trial's network stands; those beyond a limit contest nothing."""
    inside = [one for one in own if is_allowed(one, goals)]
    if not inside:
        return {}
    runs = [one.qualities(goals.quality) for one in inside]
    costs = [one.cost(goals.cost) for one in inside]
    alone = all(len(one) == 1 for one in runs)  # then the images are all that is known to vary
    draws = Draws(
        accuracy_draws(runs, images=images if alone else None),
        cost_draws(costs, [one.cost_error(goals.cost) for one in inside]),
    )
    members = _members([mean(one) for one in runs], costs)
    ties = {
        at: inside[cheaper].contender.name
        for cheaper, at in pairwise(members)
        if (draws.accuracy[:, at] > draws.accuracy[:, cheaper]).mean() < SURE
    }
    return {
        one.contender.trial: Place(at in members, float(share), ties.get(at))
        for at, (one, share) in enumerate(zip(inside, draws.are_on_front(), strict=True))
    }


def _members(accuracies: Sequence[float], costs: Sequence[float]) -> list[int]:
    """The front's members by their position, from cheap to costly."""
    members: list[int] = []
    for at in sorted(range(len(costs)), key=lambda at: (costs[at], -accuracies[at])):
        if not members or accuracies[at] > accuracies[members[-1]]:
            members.append(at)
    return members


def _versus(study: Study, networks: Sequence[Confirmed], tested: TestResults) -> Versus | None:
    """The confirmed front against the baselines, on the test part."""
    front = sorted((one for one in networks if one.is_on_front), key=lambda one: one.cost)
    others = [one for one in networks if one.trial is None]
    if not front or not others:
        return None
    every = [*front, *others]
    quality = study.record.goals.quality
    hits = [
        np.mean([tested.weighted(file.stem, quality) for file in one.contested.weights], axis=0)
        for one in every
    ]
    labels = tested.labels if quality == "balanced_accuracy" else None
    draws = Draws(
        accuracy_draws([one.test for one in every], hits=hits, labels=labels),
        cost_draws([one.cost for one in every], [one.cost_error for one in every]),
    )
    standings = [
        Standing(one.name, mean(one.test), one.cost, chosen_by=mean(one.validation))
        for one in every
    ]
    return versus(standings[: len(front)], standings[len(front) :], draws, study.record.reference)
