"""What a search did not have to train."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from mbnas.search.trial import Trial


@dataclass(frozen=True, slots=True)
class Savings:
    """Trainings and epochs spared.

    Attributes:
        repeats: Trials answered by an earlier one of the same study.
        known: Trainings taken over from other studies.
        untrained: Networks given up before any training; not those that broke a limit.
        stopped: Networks given up at a rung.
        epochs: Epochs that these four would have taken.
    """

    repeats: int
    known: int
    untrained: int
    stopped: int
    epochs: int

    @property
    def parts(self) -> dict[str, int]:
        """What was spared, in words; what was not is left out."""
        parts = {
            "given up before any training": self.untrained,
            "known from other studies": self.known,
            "repeats": self.repeats,
            "stopped at a rung": self.stopped,
        }
        return {name: number for name, number in parts.items() if number}

    @property
    def trainings(self) -> int:
        """Networks that were not trained at all."""
        return self.repeats + self.known + self.untrained


def savings(trials: Iterable[Trial], epochs: int) -> Savings:
    """What some trials of a study spared, where a whole training has so many epochs."""
    trials = list(trials)
    settled = {trial.number for trial in trials if trial.accuracy is not None}
    repeats = [trial for trial in trials if trial.reused_from in settled]
    known = [trial for trial in trials if _is_known(trial)]
    given_up = [trial for trial in trials if _is_given_up(trial)]
    return Savings(
        repeats=len(repeats),
        known=len(known),
        untrained=sum(not trial.curve for trial in given_up),
        stopped=sum(bool(trial.curve) for trial in given_up),
        epochs=epochs * (len(repeats) + len(known) + len(given_up))
        - sum(len(trial.curve) for trial in given_up),
    )


def is_paid(trial: Trial) -> bool:
    """Whether a trial counts towards a budget: it repeats none, here or in another study."""
    return trial.status != "reused" and trial.known_from is None


def _is_known(trial: Trial) -> bool:
    return trial.status == "trained" and trial.known_from is not None


def _is_given_up(trial: Trial) -> bool:
    return trial.expected_accuracy is not None and trial.status in ("stopped", "untrained")
