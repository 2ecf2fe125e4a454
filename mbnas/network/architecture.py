"""The architecture: one network, every field fixed."""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from mbnas.errors import SpaceError
from mbnas.network import checks
from mbnas.network.fields import Head, Stage, Stem, record_from
from mbnas.network.graph import Graph
from mbnas.network.lowering import check_maps, lower
from mbnas.network.widths import WidthRule

SCHEMA = 1


def _made(kind: type) -> checks.Check:
    """One of the parts of an architecture."""

    def check(value: object) -> object:
        if not isinstance(value, kind):
            raise ValueError(f"must be a {_example(kind)}")
        return value

    return check


def _stages(value: Any) -> tuple[Stage, ...]:
    """At least one stage, in whatever holds them in order."""
    try:
        stages = tuple(value)
    except TypeError:
        raise ValueError("must be a list of stages, such as [Stage(width=24)]") from None
    if not stages:
        raise ValueError("must hold at least one stage")
    for at, stage in enumerate(stages, start=1):
        if not isinstance(stage, Stage):
            raise ValueError(f"stage {at} must be a {_example(Stage)}")
    return stages


def _example(kind: type) -> str:
    name = kind.__name__
    return f"{name}, such as {name}(width=24); Architecture.from_dict reads tables"


@dataclass(frozen=True, slots=True, kw_only=True)
class Architecture:
    """One network. Equal networks spelled differently are unequal objects with the same `id`.

    Attributes:
        resolution: Height and width of the image in pixels.
        stem: The first convolution.
        stages: At least one stage.
        head: From the last map to the logits.
        width_multiplier: Factor of all widths.
        bn_eps: Epsilon of every batch norm.
        divisor: What multiplied widths are rounded to.
        round_hidden: Whether expanded widths are rounded to the divisor too.
    """

    resolution: int = field(metadata={"check": checks.whole()})
    stem: Stem = field(default_factory=Stem, metadata={"check": _made(Stem)})
    stages: tuple[Stage, ...] = field(metadata={"check": _stages})
    head: Head = field(default_factory=Head, metadata={"check": _made(Head)})
    width_multiplier: float = field(
        default=1.0, metadata={"check": checks.number(0, 1000, above=True)}
    )
    bn_eps: float = field(default=1e-5, metadata={"check": checks.number(0, 1, above=True)})
    divisor: int = field(default=8, metadata={"check": checks.whole()})
    round_hidden: bool = field(default=False, metadata={"check": checks.boolean()})

    def __post_init__(self) -> None:
        checks.check_fields(self)
        # A network that cannot be is refused here, not when it is trained.
        check_maps(self.resolution, self.stem, self.stages)

    def lower(self, classes: int = 1, channels: int = 3) -> Graph:
        """The graph of primitives for `classes` logits and images (channels, R, R).

        Raises:
            SpaceError: no number of classes, or of channels.
        """
        classes = checks.passed(checks.whole(), classes, "classes")
        channels = checks.passed(checks.whole(), channels, "channels")
        return _lowered(self, channels).with_classes(classes)

    @property
    def id(self) -> str:
        """Canonical id: the same for all spellings of one network, whatever its data."""
        return _identified(self)

    def to_dict(self) -> dict[str, Any]:
        """Plain values, as JSON takes them; `from_dict` reads them back."""
        return {"schema": SCHEMA, **{f.name: _plain(getattr(self, f.name)) for f in fields(self)}}

    def to_json(self, indent: int | None = 2) -> str:
        """JSON text of `to_dict`."""
        return json.dumps(self.to_dict(), indent=indent)

    @classmethod
    def from_dict(cls, given: object) -> Architecture:
        """Reads what `to_dict` wrote.

        Raises:
            SpaceError: an unknown key, a value that a field may not hold, or a network that
                cannot be.
        """
        names = [f.name for f in fields(cls)]
        table = dict(checks.check_keys(given, ["schema", *names], "architecture"))
        schema = table.pop("schema", SCHEMA)
        if isinstance(schema, bool) or schema != SCHEMA:
            raise SpaceError(
                f"architecture.schema = {checks.shown(schema)}:"
                f" this version of mbnas reads schema {SCHEMA}"
            )
        for name in ("resolution", "stages"):
            if name not in table:
                raise SpaceError(f"architecture: {name} is missing")
        stages = table["stages"]
        if not isinstance(stages, (list, tuple)):
            raise SpaceError(f"architecture.stages = {checks.shown(stages)}: must be a list")
        table["stages"] = tuple(
            record_from(Stage, stage, f"stage {at}") for at, stage in enumerate(stages, start=1)
        )
        for name, kind in (("stem", Stem), ("head", Head)):
            if name in table:
                table[name] = record_from(kind, table[name], name)
        return cls(**table)

    @classmethod
    def from_json(cls, text: str | bytes) -> Architecture:
        """Reads what `to_json` wrote.

        Raises:
            SpaceError: not JSON, or not an architecture.
        """
        try:
            given = json.loads(text)
        except (ValueError, RecursionError) as error:  # not JSON, not text, too long, too deep
            raise SpaceError(f"architecture: not JSON ({error})") from None
        return cls.from_dict(given)

    def describe(self) -> str:
        """A short readable form, one line a stage."""
        scale = f" ×{self.width_multiplier:g}" if self.width_multiplier != 1 else ""
        lines = [
            f"{self.resolution} px{scale} · stem {self.stem.width} s{self.stem.stride}"
            f" {self.stem.activation}"
        ]
        lines += [f"{at} {_stage_line(stage)}" for at, stage in enumerate(self.stages, start=1)]
        parts = [f"conv {self.head.width}"] if self.head.width else []
        parts += [f"hidden {self.head.hidden}"] if self.head.hidden else []
        parts += [self.head.activation] if parts else []
        parts += [f"dropout {self.head.dropout:g}"] if self.head.dropout else []
        return "\n".join([*lines, " ".join(["head", *parts])])


@functools.lru_cache(maxsize=4096)
def _lowered(architecture: Architecture, channels: int) -> Graph:
    """For one logit: of all nodes, only the last knows how many there are."""
    return lower(
        resolution=architecture.resolution,
        stem=architecture.stem,
        stages=architecture.stages,
        head=architecture.head,
        rule=WidthRule(
            architecture.width_multiplier, architecture.divisor, architecture.round_hidden
        ),
        bn_eps=architecture.bn_eps,
        classes=1,
        channels=channels,
    )


@functools.lru_cache(maxsize=4096)
def _identified(architecture: Architecture) -> str:
    return architecture.lower().digest()


def _stage_line(stage: Stage) -> str:
    words = [stage.block]
    if stage.block != "identity":
        words.append(f"k{stage.kernel}")
        if stage.block != "depthwise_separable":
            words.append(f"e{stage.expansion:g}")
    words += [f"{stage.width}×{stage.depth}", f"s{stage.stride}"]
    if stage.block != "identity":
        words += [f"se{stage.se_ratio:g}"] if stage.se_ratio else []
        words.append(stage.activation)
    if stage.fusion.type != "none":
        words.append(f"+ {stage.fusion} from {stage.fusion_from}")
    return " ".join(words)


def _plain(value: Any) -> Any:
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    if isinstance(value, (Stem, Stage, Head)):
        table: Mapping[str, Any] = {f.name: getattr(value, f.name) for f in fields(value)}
        return {key: item.to_value() if key == "fusion" else item for key, item in table.items()}
    return value
