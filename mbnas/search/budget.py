"""How long a search goes on."""

from __future__ import annotations

from dataclasses import dataclass

from mbnas.errors import StudyError


@dataclass(frozen=True, slots=True)
class Spent:
    """What a search has used up.

    Attributes:
        trials: Trials evaluated in all, earlier searches on the study included.
        epochs: Epochs trained in all.
        seconds: Time that this search has worked.
    """

    trials: int
    epochs: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Budget:
    """When a search ends: at the first of its bounds.

    Attributes:
        trials: Evaluated trials, in all; those begun by then are evaluated to their end.
        seconds: Time for this search; what is trained then is laid down at its next rung.
        epochs: Epochs trained, in all; what is trained then is laid down at its next rung.
    """

    trials: int | None
    seconds: float | None
    epochs: int | None = None

    def __post_init__(self) -> None:
        if self.trials is None and self.seconds is None and self.epochs is None:
            raise StudyError("budget: say how long to search, by trials, time or epochs")
        if self.trials is not None and self.trials < 1:
            raise StudyError(f"trials = {self.trials}: must be at least 1")
        if self.seconds is not None and not self.seconds > 0:
            raise StudyError(f"budget = {self.seconds:g} s: must be above 0")
        if self.epochs is not None and self.epochs < 1:
            raise StudyError(f"epochs in all = {self.epochs}: must be at least 1")

    def is_spent(self, spent: Spent) -> bool:
        """Whether nothing new is to begin."""
        enough_trials = self.trials is not None and spent.trials >= self.trials
        return enough_trials or self.is_over(spent)

    def is_over(self, spent: Spent) -> bool:
        """Whether what is being trained is to be laid down."""
        out_of_time = self.seconds is not None and spent.seconds >= self.seconds
        return out_of_time or (self.epochs is not None and spent.epochs >= self.epochs)

    def seconds_left(self, before: Spent, now: Spent) -> float | None:
        """About how long it will last; None while that cannot be said.

        Args:
            before: What earlier searches had used up.
            now: What is used up now.
        """
        left = []
        for most, then, by_now in (
            (self.trials, before.trials, now.trials),
            (self.epochs, before.epochs, now.epochs),
        ):
            if most is not None and by_now > then:
                left.append(now.seconds / (by_now - then) * max(0, most - by_now))
        if self.seconds is not None:
            left.append(max(0.0, self.seconds - now.seconds))
        return min(left, default=None)
