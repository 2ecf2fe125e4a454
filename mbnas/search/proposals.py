"""Where the next trial comes from: what was broken off, what is enqueued, and then the sampler."""

from __future__ import annotations

import warnings
from collections import deque
from collections.abc import Collection
from dataclasses import dataclass

import optuna
from optuna.trial import FrozenTrial, TrialState

from mbnas.network import Architecture
from mbnas.search.samplers import SamplerSource
from mbnas.search.study import broken_off
from mbnas.space import SearchSpace

START = "start"
"""The Optuna trial's user attribute that holds what an enqueued network is called."""
NETWORK = "network"
"""That which holds an enqueued network."""


@dataclass(frozen=True, slots=True)
class Enqueued:
    """A network that is evaluated before any that a sampler proposes.

    Attributes:
        architecture: The network.
        start: What the user calls it; None where another study brought it.
    """

    architecture: Architecture
    start: str | None = None


@dataclass(frozen=True, slots=True)
class Proposal:
    """A trial that Optuna was asked for, and its network."""

    asked: optuna.Trial
    architecture: Architecture

    @property
    def start(self) -> str | None:
        """What an enqueued network is called."""
        name: str | None = self.asked.user_attrs.get(START)
        return name


class Proposals:
    """Gives one trial after another.

    Args:
        study: Optuna's study; what it holds is gone on with.
        space: Whose choices are Optuna's parameters.
        samplers: The sampler for each trial.
    """

    def __init__(self, study: optuna.Study, space: SearchSpace, samplers: SamplerSource) -> None:
        self._study, self._space, self._samplers = study, space, samplers
        self._broken_off = deque(frozen.number for frozen in broken_off(study))
        if study.get_trials(deepcopy=False):
            samplers.resume()

    @property
    def broken_off(self) -> int:
        """Trials that a kill cut short and that are not taken up yet."""
        return len(self._broken_off)

    @property
    def enqueued(self) -> int:
        """Trials in line before the sampler's."""
        return len(self._enqueued())

    def enqueue(self, networks: Collection[Enqueued], known: Collection[str]) -> int:
        """Puts networks in line that are neither known nor in line yet; how many these were.

        One that the space does not hold is evaluated all the same; samplers do not hear of it.

        Args:
            networks: In their order.
            known: Ids of networks that have been evaluated.
        """
        open_ = [*self._enqueued(), *broken_off(self._study)]
        there = {*known, *(network.id for one in open_ if (network := _network(one)) is not None)}
        count = 0
        for one in networks:
            if one.architecture.id not in there:
                there.add(one.architecture.id)
                count += 1
                self._study.enqueue_trial(
                    self._space.params(one.architecture) or {}, user_attrs=_attributes(one)
                )
        return count

    def next(self) -> Proposal:
        """What was broken off comes first, then what is in line, then what the sampler proposes."""
        if self._broken_off:
            return self._reattached(self._broken_off.popleft())
        waiting = self._enqueued()
        finished = len(self._study.get_trials(deepcopy=False))
        number = waiting[0].number if waiting else finished
        self._study.sampler = self._samplers.for_trial(number)
        outside = waiting and self._outside(waiting[0])
        with warnings.catch_warnings():
            # Optuna's GP says so of networks that were refused before their cost was measured.
            warnings.filterwarnings("ignore", message="Clip non-finite values")
            asked = self._study.ask(None if outside else self._samplers.distributions)
        return self._proposal(asked)

    def _enqueued(self) -> list[FrozenTrial]:
        return self._study.get_trials(deepcopy=False, states=(TrialState.WAITING,))

    def _reattached(self, number: int) -> Proposal:
        """A trial that was broken off, choices that it lacks drawn as they would have been."""
        self._study.sampler = self._samplers.for_trial(number)
        storage = self._study._storage  # Optuna has no public way back to a running trial
        trial_id = storage.get_trial_id_from_study_id_trial_number(self._study._study_id, number)
        asked = optuna.Trial(self._study, trial_id)
        if not self._outside(asked):
            for choice in self._space.choices:
                asked.suggest_categorical(choice.name, choice.labels)
        return self._proposal(asked)

    def _proposal(self, asked: optuna.Trial) -> Proposal:
        enqueued = _network(asked)
        if enqueued is not None and self._outside(asked):
            return Proposal(asked, enqueued)
        return Proposal(asked, self._space.architecture(asked.params))

    def _outside(self, trial: FrozenTrial | optuna.Trial) -> bool:
        """Whether a trial's network was enqueued and is none of the space's."""
        network = _network(trial)
        return network is not None and self._space.params(network) is None


def _attributes(one: Enqueued) -> dict[str, object]:
    named = {} if one.start is None else {START: one.start}
    return {NETWORK: one.architecture.to_dict(), **named}


def _network(trial: FrozenTrial | optuna.Trial) -> Architecture | None:
    given = trial.user_attrs.get(NETWORK)
    return None if given is None else Architecture.from_dict(given)
