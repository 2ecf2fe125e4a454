"""Where the next trial comes from: what was broken off, what is enqueued, and then the sampler."""

from __future__ import annotations

import warnings
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import optuna
from optuna.samplers import BaseGASampler
from optuna.trial import FrozenTrial, TrialState

from mbnas.network import Architecture
from mbnas.search.patient import gathered
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
    """A trial that Optuna was asked for, and its network.

    Attributes:
        asked: Optuna's trial.
        architecture: The network.
        is_enqueued: Whether it comes from the line, not from the sampler.
        outside: Whether the space does not hold it.
    """

    asked: optuna.Trial
    architecture: Architecture
    is_enqueued: bool
    outside: bool

    @property
    def marks(self) -> dict[str, Any]:
        """What a `Trial` says of where it comes from."""
        attributes = self.asked.user_attrs
        return {
            "params": dict(self.asked.params),
            "outside": self.outside,
            "start": attributes.get(START),
        }


class Proposals:
    """Gives one trial after another.

    Args:
        study: Optuna's study; what it holds is gone on with.
        space: Whose choices are Optuna's parameters.
        samplers: The sampler for each trial.
        first: Networks that are evaluated before the sampler is asked. One that the space does
            not hold is evaluated all the same; samplers do not hear of it.
    """

    def __init__(
        self,
        study: optuna.Study,
        space: SearchSpace,
        samplers: SamplerSource,
        first: Iterable[Enqueued] = (),
    ) -> None:
        self._study, self._space, self._samplers = study, space, samplers
        self._broken_off = deque(broken_off(study))
        # A kill may have come before Optuna was asked for what had been put in its line.
        there = study.get_trials(deepcopy=False)
        left = [
            one for one in there if one.state == TrialState.WAITING and NETWORK in one.user_attrs
        ]
        self._left = len(left)
        begun = (_network(one) for one in (*self._broken_off, *left))
        again = {network.id for network in begun if network is not None}
        line: dict[str, Enqueued] = {}
        for one in first:
            if one.architecture.id not in again:
                line.setdefault(one.architecture.id, one)
        self._line = deque(line.values())
        if there:
            samplers.resume()

    @property
    def broken_off(self) -> int:
        """Trials that a kill cut short and that are not taken up yet."""
        return len(self._broken_off)

    @property
    def enqueued(self) -> int:
        """Networks in line before the sampler's."""
        return len(self._line) + self._left

    def next(self) -> Proposal:
        """What was broken off comes first, then what is in line, then what the sampler proposes."""
        if self._broken_off:
            return self._reattached(self._broken_off.popleft())
        if self._left:
            self._left -= 1
        elif self._line:
            one = self._line.popleft()
            self._study.enqueue_trial(
                self._space.params(one.architecture) or {}, user_attrs=_attributes(one)
            )
        # Whoever opens the study with Optuna's own tools may have enqueued something too.
        there = self._study.get_trials(deepcopy=False)
        waiting = [one for one in there if one.state == TrialState.WAITING]
        count = len(there)
        self._study.sampler = self._samplers.for_trial(waiting[0].number if waiting else count)
        outside = waiting and self._is_outside(waiting[0])
        with warnings.catch_warnings():
            # Optuna's GP says so of networks that were refused before their cost was measured.
            warnings.filterwarnings("ignore", message="Clip non-finite values")
            with gathered(self._study, attributes=False):
                asked = self._study.ask(None if outside else self._samplers.distributions)
            if waiting and not outside and isinstance(self._study.sampler, BaseGASampler):
                _ = asked.relative_params  # else it would belong to no generation
        return self._proposal(asked)

    def _reattached(self, frozen: FrozenTrial) -> Proposal:
        """A trial that was broken off, choices that it lacks drawn as they would have been."""
        self._study.sampler = self._samplers.for_trial(frozen.number)
        # Optuna has no public way back to a running trial.
        asked = optuna.Trial(self._study, frozen._trial_id)
        if not self._is_outside(asked):
            with gathered(self._study, attributes=False):
                for choice in self._space.choices:
                    asked.suggest_categorical(choice.name, choice.labels)
            if isinstance(self._study.sampler, BaseGASampler):
                _ = asked.relative_params  # one that was recovered belongs to no generation else
        return self._proposal(asked)

    def _proposal(self, asked: optuna.Trial) -> Proposal:
        enqueued, outside = _network(asked), self._is_outside(asked)
        if enqueued is not None and outside:
            return Proposal(asked, enqueued, is_enqueued=True, outside=True)
        architecture = self._space.architecture(asked.params)
        return Proposal(asked, architecture, enqueued is not None, outside=False)

    def _is_outside(self, trial: FrozenTrial | optuna.Trial) -> bool:
        """Whether a trial's network was enqueued and is none of the space's."""
        network = _network(trial)
        return network is not None and self._space.params(network) is None


def _attributes(one: Enqueued) -> dict[str, object]:
    named = {} if one.start is None else {START: one.start}
    return {NETWORK: one.architecture.to_dict(), **named}


def _network(trial: FrozenTrial | optuna.Trial) -> Architecture | None:
    given = trial.user_attrs.get(NETWORK)
    return None if given is None else Architecture.from_dict(given)
