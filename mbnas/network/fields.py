"""The parts of an architecture: stem, stages with their fusion, head."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, TypeVar

from mbnas.errors import SpaceError
from mbnas.network import checks
from mbnas.network.blocks import BLOCKS
from mbnas.network.fusion import FUSIONS

Record = TypeVar("Record")
ACTIVATIONS = ("relu", "relu6", "hardswish", "silu")


def _field(check: checks.Check, default: Any) -> Any:
    return field(default=default, metadata={"check": check})


@dataclass(frozen=True, slots=True)
class Fusion:
    """How a stage's output is joined with an earlier map.

    Attributes:
        type: none, concat, weighted_sum or attention.
        project: For concat: False keeps the added channels.
        alpha: For weighted_sum: a fixed weight of the earlier map in [0, 1]; None learns it.
    """

    type: str = _field(checks.one_of(FUSIONS), "none")
    project: bool = _field(checks.boolean(), True)
    alpha: float | None = _field(lambda v: None if v is None else checks.number(0, 1)(v), None)

    def __post_init__(self) -> None:
        checks.check_fields(self)
        if not self.project and self.type != "concat":
            raise SpaceError(f"fusion.project = false: goes with concat alone, not {self.type}")
        if self.alpha is not None and self.type != "weighted_sum":
            raise SpaceError(f"fusion.alpha = {self.alpha:g}: goes with weighted_sum alone")

    def __str__(self) -> str:
        if not self.project:
            return f"{self.type}(project=false)"
        if self.alpha is None:
            return self.type
        return f"{self.type}({str(self.alpha).removesuffix('.0')})"

    def to_value(self) -> str | dict[str, Any]:
        """The name where that says all, else a table; `Fusion.of` reads both."""
        if not self.project:
            return {"type": self.type, "project": False}
        return self.type if self.alpha is None else {"type": self.type, "alpha": self.alpha}

    @classmethod
    def of(cls, value: object) -> Fusion:
        """A fusion from its name, its table, or itself.

        Raises:
            SpaceError: neither.
        """
        if isinstance(value, Fusion):
            return value
        if isinstance(value, str):
            return cls(type=value)
        return cls(**checks.check_keys(value, checks.fields_of(cls), "fusion"))


def _fusion(value: object) -> Fusion:
    try:
        return Fusion.of(value)
    except SpaceError as error:
        raise ValueError(str(error)) from None


@dataclass(frozen=True, slots=True, kw_only=True)
class Stem:
    """The first 3×3 convolution."""

    width: int = _field(checks.whole(), 32)
    stride: int = _field(checks.whole(), 2)
    activation: str = _field(checks.one_of(ACTIVATIONS), "relu6")

    def __post_init__(self) -> None:
        checks.check_fields(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """A run of `depth` equal blocks at one resolution; the first block carries the stride."""

    block: str = _field(checks.one_of(BLOCKS), "mbconv")
    width: int = _field(checks.whole(), 32)
    depth: int = _field(checks.whole(1, 1000), 1)
    stride: int = _field(checks.whole(), 1)
    kernel: int = _field(checks.odd(), 3)
    expansion: float = _field(checks.number(1, 1000), 6.0)
    se_ratio: float = _field(checks.number(0, 1), 0.0)
    activation: str = _field(checks.one_of(ACTIVATIONS), "relu6")
    fusion: Fusion = field(default_factory=Fusion, metadata={"check": _fusion})
    fusion_from: int = _field(checks.whole(), 1)

    def __post_init__(self) -> None:
        checks.check_fields(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """1×1 convolution → global average pool → [hidden linear] → linear.

    Attributes:
        width: Channels of the convolution; 0 leaves it out.
        hidden: Features of a hidden linear layer; 0 leaves it out.
        activation: Of both.
        dropout: Rate before the last linear layer.
    """

    width: int = _field(checks.whole(0), 0)
    hidden: int = _field(checks.whole(0), 0)
    activation: str = _field(checks.one_of(ACTIVATIONS), "relu6")
    dropout: float = _field(checks.number(0, 0.99), 0.0)

    def __post_init__(self) -> None:
        checks.check_fields(self)


def record_from(kind: type[Record], given: object, place: str) -> Record:
    """A dataclass from a table whose keys are all known.

    Raises:
        SpaceError: an unknown key, or a value that its field may not hold.
    """
    table = checks.check_keys(given, checks.fields_of(kind), place)
    return kind(
        **{key: checks.checked(kind, key, value, f"{place}, {key}") for key, value in table.items()}
    )
