"""One trial: what was evaluated and what came of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Annotated, Any, ClassVar, Literal

from pydantic import (
    AfterValidator,
    ConfigDict,
    PlainSerializer,
    PlainValidator,
    TypeAdapter,
    ValidationError,
)

from mbnas.engine import FailureKind
from mbnas.errors import SpaceError, StudyError
from mbnas.measure.latency import Latency
from mbnas.network import Architecture, Costs
from mbnas.space import Params
from mbnas.training.trainer import Epoch

PREDICTED_SURELY = 0.75
"""Share of a predicted latency that the network surely takes."""
Status = Literal["trained", "untrained", "reused", "stopped", "failed"]
"""How a trial ended.

trained: to its last epoch. untrained: before any training a limit was broken, or the front was out
of reach. reused: its network was known from an earlier trial. stopped: in the middle of training.
failed: see its reason.
"""


def _read_architecture(value: object) -> Architecture:
    return value if isinstance(value, Architecture) else Architecture.from_dict(value)


def _check_costs(costs: Costs) -> Costs:
    for name, value in asdict(costs).items():
        if not 0 <= value < 2**63:
            raise ValueError(f"{name} must be at least 0 and below 2**63")
    return costs


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """A finished trial.

    Attributes:
        number: Optuna's number of the trial.
        params: The option chosen for every choice; empty of a network outside the space.
        architecture: The network.
        status: How the trial ended.
        reason: Why it is untrained, stopped or failed; None otherwise.
        failure: What kind of thing went wrong with a failed one.
        accuracy: Validation accuracy after the last epoch; None where it was not trained through.
        expected_accuracy: What a stopped or, by the models, untrained network would likely have
            come to, of the accuracy searched for.
        started_from: Number of the trial whose weights it began with; None for fresh ones.
        outside: Whether the space does not hold the network.
        start: What the user calls a network that the search was to start from; None for others.
        known_from: Study and trial in which the network was trained before; None for others.
        latency: The measured distribution; None where it was not measured.
        predicted_ms: The predicted `latency_ms`; None without a predictor.
        costs: Arithmetic costs.
        curve: One entry for each epoch trained.
        training_seconds: Time spent on training.
        latency_seconds: Time spent on measuring.
        reused_from: Number of the trial whose result this is; None where it is its own.
    """

    # Of a file: what is no number, or beyond any float, is damage.
    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(allow_inf_nan=False)

    number: int
    params: Params
    architecture: Annotated[
        Architecture,
        PlainValidator(_read_architecture),
        PlainSerializer(lambda architecture: architecture.to_dict()),
    ]
    status: Status
    reason: str | None = None
    failure: FailureKind | None = None
    accuracy: float | None = None
    expected_accuracy: float | None = None
    latency: Latency | None = None
    predicted_ms: float | None = None
    costs: Annotated[Costs, AfterValidator(_check_costs)]
    curve: tuple[Epoch, ...] = ()
    training_seconds: float = 0.0
    latency_seconds: float = 0.0
    reused_from: int | None = None
    started_from: int | None = None
    outside: bool = False
    start: str | None = None
    known_from: str | None = None

    @property
    def balanced_accuracy(self) -> float | None:
        """Mean over the classes of their accuracies; None where it was not trained through."""
        if self.accuracy is None or not self.curve:
            return None
        return self.curve[-1].balanced_accuracy

    @property
    def latency_ms(self) -> float | None:
        """The latency's estimate in milliseconds."""
        return None if self.latency is None else self.latency.latency_ms

    @property
    def name(self) -> str:
        """The trial's number as its folder has it, `00017`."""
        return folder_name(self.number)

    def value(self, quantity: str) -> float | None:
        """A recorded quantity by name, of `QUALITIES` or `COSTS`; None where it is not known."""
        if quantity == "accuracy":
            return self.accuracy
        if quantity == "balanced_accuracy":
            return self.balanced_accuracy
        if quantity in ("latency_ms", "p90_ms"):
            return None if self.latency is None else float(getattr(self.latency, quantity))
        return float(getattr(self.costs, quantity))

    def bound(self, quantity: str) -> float | None:
        """What a limit is held against: of a latency, its interval's upper end.

        Of one that is not measured, three quarters of what was predicted: only what is far above
        a limit is refused unmeasured.
        """
        if quantity != "latency_ms":
            return self.value(quantity)
        if self.latency is not None:
            return self.latency.high_ms
        return None if self.predicted_ms is None else PREDICTED_SURELY * self.predicted_ms

    def as_reused(self, number: int) -> Trial:
        """The same result under another trial's number, nothing spent."""
        return replace(
            self,
            number=number,
            status="reused",
            training_seconds=0.0,
            latency_seconds=0.0,
            reused_from=self.number,
        )

    def to_record(self) -> dict[str, Any]:
        """Plain values, as JSON takes them."""
        record: dict[str, Any] = _ADAPTER.dump_python(self, mode="json")
        return {"id": self.architecture.id, **record}

    @classmethod
    def from_record(cls, record: Mapping[str, Any], place: str) -> Trial:
        """Reads what `to_record` gave.

        Raises:
            StudyError: damaged; the text begins with `place`.
        """
        try:
            plain = {key: value for key, value in record.items() if key != "id"}
            return _ADAPTER.validate_python(plain)
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(str(part) for part in first["loc"])
            raise StudyError(f"{place}: damaged at {where}: {first['msg']}") from None
        except (SpaceError, AttributeError) as error:
            raise StudyError(f"{place}: damaged: {error}") from None


def folder_name(number: int) -> str:
    """A trial's folder under `trials/`."""
    return f"{number:05d}"


_ADAPTER = TypeAdapter(Trial)
