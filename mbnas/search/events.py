"""What a running search tells whoever watches it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from mbnas.network import Architecture
from mbnas.search.feasibility import Feasibility
from mbnas.search.objectives import Limit
from mbnas.search.trial import Trial
from mbnas.training.trainer import Epoch


@dataclass(frozen=True, slots=True)
class Found:
    """What a study held when the search began.

    Attributes:
        finished: Trials already evaluated.
        broken_off: Trials that were begun and not told: a kill, Ctrl-C or the end of a budget cut
            their evaluation short, or they waited for their turn; they come first now.
        enqueued: Networks that the search was told to start from, or that another study knows.
    """

    finished: int
    broken_off: int
    enqueued: int = 0


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Where a search stands.

    Attributes:
        evaluated: Trials evaluated so far, those not counted that repeat another one, here or in
            another study.
        wanted: Trials wanted in all; None where time or epochs alone end the search.
        front: The front's trials, from cheap to costly.
        hypervolume: Of the front.
        seconds_left: About how long it will take; None while that cannot be said.
    """

    evaluated: int
    wanted: int | None
    front: tuple[Trial, ...]
    hypervolume: float
    seconds_left: float | None


class Observer:
    """Watches a search: subclasses take up what they care about, the rest does nothing.

    Called in the driver's thread, where nothing else is said; must be quick.
    """

    def images_decoded(self, done: int, total: int) -> None:
        """Before the search begins: so many images of a part are read."""

    def waits_for_cores(self) -> None:
        """A measurement or a training goes first; may be called from any thread."""

    def limits_to_check(self, limits: Sequence[Limit]) -> None:
        """Before a new study is made: some networks are about to be measured for its limits."""

    def limit_checked(self, found: Feasibility) -> None:
        """What a limit leaves of the space."""

    def study_is_made(self) -> None:
        """Before a new study is made: a precision may be tried, and some networks are measured."""

    def study_recovered(self, trials: int) -> None:
        """Before the search begins: of so many trials, database and files were set right."""

    def search_began(self, found: Found, snapshot: Snapshot) -> None:
        """Before the first trial."""

    def trial_began(self, number: int, architecture: Architecture) -> None:
        """A network is about to be evaluated."""

    def epoch_ended(self, number: int, epoch: Epoch) -> None:
        """A trial's training came one epoch further."""

    def trial_ended(self, trial: Trial, snapshot: Snapshot) -> None:
        """A trial is on record."""

    def space_used_up(self, repeats: int) -> None:
        """The search ends before its budget: the last `repeats` proposals were all known."""

    def time_is_up(self, trials: int) -> None:
        """A bound of time or epochs is reached: so many trials go on to their next rung."""

    def trials_wait(self, trials: int) -> None:
        """The search ends, and so many trials have ended that wait for the turn of earlier ones."""

    def search_paused(self) -> None:
        """It was wished from outside: nothing new begins until `search_resumed`.

        What is being measured or trained goes on to its end or next rung.
        """

    def search_resumed(self) -> None:
        """A paused search goes on."""

    def search_stopped(self) -> None:
        """It was wished from outside: no new network begins; what is in evaluation ends."""

    def search_interrupted(self) -> None:
        """By Ctrl-C: what is trained ends its epoch; a second Ctrl-C ends the search at once."""
