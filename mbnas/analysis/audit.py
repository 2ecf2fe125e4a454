"""Is a brief training enough? How well early figures foretell the order that long training gives.

A sample of a space's networks is trained fully, some with a second seed, and each also by short
schedules of its own, whose learning rate comes to rest. What is known early, or for nothing, is
held against the final order; two seeds of the same networks say how well that can agree at all.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

from mbnas.analysis.agreement import Agreement, agreement, best_quarter
from mbnas.analysis.trainings import Done
from mbnas.network import Architecture, costs

GOOD_ENOUGH = 0.9
"""Share of the ceiling that a schedule's τ must reach."""
LEAST_CEILING = 0.2
"""Below it, two seeds of the same networks hardly agree, and there is no order to foretell. Nor is
there where the interval of their agreement reaches down to 0: it may be chance."""
Kind = Literal["schedule", "rung", "loss", "cost"]


@dataclass(frozen=True, slots=True)
class Foretelling:
    """Something known early, and how well it foretells the final order.

    Attributes:
        kind: `schedule`, accuracy at the end of a short schedule; `rung`, accuracy in the middle
            of the full one; `loss`, the running sum of its training loss (Ru et al., arXiv
            2006.04492); `cost`, a quantity that needs no training.
        name: In words.
        epochs: Epochs that it needs; 0 for a cost.
        share: These, as a share of the full schedule.
        overall: Agreement with the final order of all networks.
        best: Agreement among the best quarter, often of too few networks for an interval.
        seconds: Mean training time for one network.
    """

    kind: Kind
    name: str
    epochs: int
    share: float
    overall: Agreement
    best: Agreement
    seconds: float


@dataclass(frozen=True, slots=True)
class Sampled:
    """One network of an audit.

    Attributes:
        architecture: The network.
        full: Its full training.
        again: The same with a second seed; None where there is none.
        short: Its short trainings, by epochs.
    """

    architecture: Architecture
    full: Done
    again: Done | None
    short: dict[int, Done]

    @property
    def failed(self) -> bool:
        """Whether one of its trainings failed, so that it cannot be put in order."""
        every = [self.full, *self.short.values(), *([self.again] if self.again else [])]
        return any(one.failure is not None for one in every)


@dataclass(frozen=True, slots=True)
class Audit:
    """What an audit found.

    Attributes:
        networks: The networks in the order drawn.
        epochs: Of the full schedule.
        quality: `accuracy` or `balanced_accuracy`.
        ceiling: Agreement of two seeds of the same networks.
        foretellings: From cheap to costly.
    """

    networks: tuple[Sampled, ...]
    epochs: int
    quality: str
    ceiling: Agreement
    foretellings: tuple[Foretelling, ...]

    @property
    def wanted_tau(self) -> float:
        """The τ from which on a schedule is good enough: nine tenths of the ceiling."""
        return GOOD_ENOUGH * self.ceiling.tau

    @property
    def has_order(self) -> bool:
        """Whether these networks have an order that a second seed would confirm."""
        return self.ceiling.tau >= LEAST_CEILING and self.ceiling.low > 0

    @property
    def recommended(self) -> Foretelling | None:
        """The cheapest schedule or rung that is good enough; None where only the full one is."""
        if not self.has_order:
            return None
        enough = [
            one
            for one in self.foretellings
            if one.kind in ("schedule", "rung")
            and one.epochs < self.epochs
            and one.overall.tau >= self.wanted_tau
        ]
        # Of equal length, the schedule of its own: a search runs it as it is.
        return min(enough, key=lambda one: (one.epochs, one.kind == "rung"), default=None)

    @property
    def final(self) -> list[float]:
        """Of every network, what full training gives."""
        return [_last(one.full, self.quality) for one in self.networks]


def audited(networks: Sequence[Sampled], epochs: int, quality: str) -> Audit:
    """Holds everything known early against the final order; networks that failed are left out."""
    networks = [one for one in networks if not one.failed]
    final = [_last(one.full, quality) for one in networks]
    best = best_quarter(final)
    found = []
    lengths = sorted(networks[0].short) if networks else []
    for early in _early(lengths, epochs, quality) if networks else ():
        values = [early.value(one) for one in networks]
        found.append(
            Foretelling(
                kind=early.kind,
                name=early.name,
                epochs=early.epochs,
                share=early.epochs / epochs,
                overall=agreement(values, final),
                best=agreement([values[at] for at in best], [final[at] for at in best]),
                seconds=sum(early.seconds(one) for one in networks) / len(networks),
            )
        )
    pairs = [(one.full, one.again) for one in networks if one.again is not None]
    ceiling = agreement(
        [_last(first, quality) for first, _ in pairs],
        [_last(second, quality) for _, second in pairs],
    )
    found.sort(key=lambda one: one.epochs)
    return Audit(tuple(networks), epochs, quality, ceiling, tuple(found))


class _Early(NamedTuple):
    """How to read one early figure off a network's trainings."""

    kind: Kind
    name: str
    epochs: int
    value: Callable[[Sampled], float]
    seconds: Callable[[Sampled], float]


def _early(lengths: Sequence[int], epochs: int, quality: str) -> Iterator[_Early]:
    yield _cost("params", "parameters")
    yield _cost("macs", "MACs")
    for length in lengths:
        yield _schedule(length, quality)
    for length in range(1, epochs):
        yield _rung(length, quality)
        yield _loss(length)


def _cost(field: str, name: str) -> _Early:
    return _Early(
        "cost", name, 0, lambda one: getattr(costs(one.architecture.lower()), field), lambda _: 0.0
    )


def _schedule(length: int, quality: str) -> _Early:
    return _Early(
        "schedule",
        f"schedule of {length}",
        length,
        lambda one: _last(one.short[length], quality),
        lambda one: one.short[length].seconds,
    )


def _rung(length: int, quality: str) -> _Early:
    return _Early(
        "rung",
        f"rung at {length}",
        length,
        lambda one: float(getattr(one.full.curve[length - 1], quality)),
        lambda one: one.full.curve[length - 1].seconds,
    )


def _loss(length: int) -> _Early:
    return _Early(
        "loss",
        f"loss summed to {length}",
        length,
        lambda one: -sum(epoch.loss for epoch in one.full.curve[:length]),
        lambda one: one.full.curve[length - 1].seconds,
    )


def _last(done: Done, quality: str) -> float:
    return float(getattr(done.curve[-1], quality))
