"""How long a search goes on."""

from __future__ import annotations

from dataclasses import dataclass

from mbnas.errors import StudyError


@dataclass(frozen=True, slots=True)
class Budget:
    """When a search ends: at so many evaluated trials, after so many seconds, or at the first."""

    trials: int | None
    seconds: float | None

    def __post_init__(self) -> None:
        if self.trials is None and self.seconds is None:
            raise StudyError("budget: say how long to search, by trials or by time")
        if self.trials is not None and self.trials < 1:
            raise StudyError(f"trials = {self.trials}: must be at least 1")
        if self.seconds is not None and self.seconds <= 0:
            raise StudyError(f"budget = {self.seconds:g} s: must be above 0")

    def spent(self, trials: int, elapsed: float) -> bool:
        """Whether it is spent, after so many trials in all and so many seconds."""
        if self.trials is not None and trials >= self.trials:
            return True
        return self.out_of_time(elapsed)

    def out_of_time(self, elapsed: float) -> bool:
        """Whether its time is over."""
        return self.seconds is not None and elapsed >= self.seconds

    def seconds_left(self, trials: int, new: int, elapsed: float) -> float | None:
        """About how long it will last; None while that cannot be said.

        Args:
            trials: Evaluated in all.
            new: Those of them that were evaluated in the time elapsed.
            elapsed: In seconds.
        """
        left = []
        if self.trials is not None and new:
            left.append(elapsed / new * max(0, self.trials - trials))
        if self.seconds is not None:
            left.append(max(0.0, self.seconds - elapsed))
        return min(left, default=None)
