"""Whether a trial is worth going on with, asked at each rung."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from mbnas.search.trial import Trial


class Stopping(Protocol):
    """A rule by which trials are stopped."""

    def reason(self, trial: Trial, finished: Sequence[Trial]) -> str | None:
        """Why a trial that has come to a rung is stopped; None lets it go on.

        Args:
            trial: Its latency is measured, its curve ends at the rung.
            finished: All trials on record, in the order in which they ended.
        """
        ...
