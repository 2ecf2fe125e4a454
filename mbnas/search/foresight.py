"""What is known of a space's networks before they are measured or trained."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from optuna.distributions import CategoricalDistribution
from optuna.trial import FrozenTrial

from mbnas.measure.latency import Predictor
from mbnas.network import costs
from mbnas.sampling.history import Observed
from mbnas.sampling.known import Known, Params, Remembered
from mbnas.search.front import broken_limit
from mbnas.search.objectives import ARITHMETIC_COSTS, Goals
from mbnas.search.samplers import Setting
from mbnas.search.study import RESULT
from mbnas.search.trial import Trial
from mbnas.space import SearchSpace

MACS_PER_MS = 2e7
MS_PER_NODE = 0.004
"""What one core roughly does, to put networks in order before any is measured."""
NAN = float("nan")


@dataclass(frozen=True, slots=True)
class Facts:
    """What arithmetic says of a network, and how long it will about take."""

    costs: dict[str, float]
    about_ms: float


class Foresight:
    """Knows networks of a space by their points.

    Args:
        space: The space.
        classes: Number of classes of the data.
        goals: What is optimised and limited.
        predictor: Of latencies; without one, they are roughly estimated from the arithmetic.
    """

    def __init__(
        self, space: SearchSpace, classes: int, goals: Goals, predictor: Predictor | None
    ) -> None:
        self._space, self._classes, self._goals = space, classes, goals
        self._predictor = predictor
        self._facts = Remembered(self._work_out)
        self._ids = Remembered(self._identified)
        self._read: dict[int, Observed | None] = {}
        self.distributions = {
            choice.name: CategoricalDistribution(choice.labels) for choice in space.choices
        }

    def identities(self, points: Sequence[Params]) -> list[str]:
        """The networks' ids."""
        return list(self._ids(points))

    def knowns(self) -> list[Known]:
        """The cost that is an objective, first; what is limited; and what the accuracy hangs on.

        Where latencies are only roughly estimated and no objective, nothing corrects the
        estimate: a limit on them is then left to the measurement.
        """
        limits = {limit.quantity: limit.most for limit in self._goals.limits}
        wanted = dict.fromkeys([self._goals.cost, *limits, "macs", "params"])
        found = []
        for quantity in wanted:
            objective = 1 if quantity == self._goals.cost else None
            if quantity in ARITHMETIC_COSTS:
                of: Callable[[Sequence[Params]], list[float]] = partial(self._costs, quantity)
            elif objective is not None or self._predictor is not None:
                of = self._about_ms
            else:
                continue
            found.append(Known(of, objective, limits.get(quantity)))
        return found

    def read(self, frozen: FrozenTrial) -> Observed | None:
        """What a finished trial says of accuracy and cost."""
        if frozen.number not in self._read:
            result = frozen.user_attrs.get(RESULT)
            trial = None if result is None else Trial.from_record(result, f"trial {frozen.number}")
            self._read[frozen.number] = None if trial is None else observed(trial, self._goals)
        return self._read[frozen.number]

    def setting(self, reference: tuple[float, float], seed: int) -> Setting:
        """What a named sampler is made from."""
        return Setting(
            self.distributions, self.knowns(), self.identities, self.read, reference, seed
        )

    def _costs(self, quantity: str, points: Sequence[Params]) -> list[float]:
        return [facts.costs[quantity] for facts in self._facts(points)]

    def _about_ms(self, points: Sequence[Params]) -> list[float]:
        return [facts.about_ms for facts in self._facts(points)]

    def _identified(self, points: Sequence[Params]) -> list[str]:
        # Apart from the facts: of many points that are looked at, few need to be told apart.
        return [self._space.architecture(point).id for point in points]

    def _work_out(self, points: Sequence[Params]) -> list[Facts]:
        architectures = [self._space.architecture(point) for point in points]
        graphs = [architecture.lower(self._classes) for architecture in architectures]
        arithmetic = [costs(graph) for graph in graphs]
        if self._predictor is not None:
            about = [float(ms) for ms in self._predictor.predict(architectures)]
        else:
            about = [
                rough_ms(found.macs, len(graph.nodes))
                for found, graph in zip(arithmetic, graphs, strict=True)
            ]
        return [
            Facts(
                {quantity: float(getattr(found, quantity)) for quantity in ARITHMETIC_COSTS},
                ms,
            )
            for found, ms in zip(arithmetic, about, strict=True)
        ]


def rough_ms(macs: int, nodes: int) -> float:
    """About how long a network takes, good for putting networks in order."""
    return macs / MACS_PER_MS + nodes * MS_PER_NODE


def observed(trial: Trial, goals: Goals) -> Observed | None:
    """What a trial says of accuracy and cost.

    A stopped one was expected to come to some accuracy, which is all that is known of it. Of an
    untrained one only the cost is: what was expected of it came from what others had shown, and
    taken for an observation it would make the next expectation surer than it is. Reused ones repeat
    another trial.
    """
    cost = trial.value(goals.cost)
    if trial.status == "reused" or cost is None:
        return None
    quality = trial.value(goals.quality)
    if trial.status == "trained" and quality is not None:
        return Observed((quality, cost), broken_limit(trial, goals.limits) is None)
    seen = trial.expected_accuracy if trial.curve else None
    expected = NAN if seen is None else seen
    return Observed((expected, cost), counts=False)
