"""The search space: for every field of a network, the options it may take."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from mbnas.errors import SpaceError
from mbnas.network import Architecture, Head, Stage, Stem
from mbnas.network.checks import nearest, shown

Label = bool | int | float | str
Params = dict[str, Label]
"""One option chosen for every choice, by label: a point of the space, as Optuna records it."""


@dataclass(frozen=True, slots=True)
class Option:
    """One option of a field.

    Attributes:
        label: How a study names it: the value itself, or a text for a table.
        value: The field's value.
        also: Other fields that this option fixes, as (field, value) pairs of the same stage.
    """

    label: Label
    value: Any
    also: tuple[tuple[str, Any], ...] = ()


@dataclass(frozen=True, slots=True)
class Choice:
    """One field and its options.

    Attributes:
        name: Dotted: `resolution`, `stem.width`, `stage2.kernel`.
        options: One where the field is fixed, more where it is searched.
    """

    name: str
    options: tuple[Option, ...]

    @property
    def group(self) -> str:
        """`stage2` of `stage2.kernel`; empty for a field of the network."""
        return self.name.rpartition(".")[0]

    @property
    def field(self) -> str:
        """`kernel` of `stage2.kernel`."""
        return self.name.rpartition(".")[2]

    @property
    def fixes(self) -> bool:
        """Whether some option fixes other fields."""
        return any(option.also for option in self.options)

    @property
    def labels(self) -> tuple[Label, ...]:
        """Labels of the options, in the order of the file."""
        return tuple(option.label for option in self.options)

    def nearest(self, record: object) -> Label:
        """Label of the option that says what a stage, stem, head or network says, or nearly."""

        def rank(option: Option) -> tuple[int, int]:
            said = ((self.field, option.value), *option.also)
            # Of options that agree, the one that fixes more leaves less to other fields.
            return sum(getattr(record, name) != value for name, value in said), -len(said)

        return min(self.options, key=rank).label

    def option(self, label: Label) -> Option:
        """The option of that label.

        Raises:
            SpaceError: there is none.
        """
        for option in self.options:
            if option.label == label:
                return option
        known = ", ".join(shown(item) for item in self.labels)
        raise SpaceError(
            f"{self.name} = {shown(label)}: not an option{nearest(label, map(str, self.labels))};"
            f" options: {known}"
        )


_Point = frozenset[tuple[bool, str, Any]]
"""Of some fields: (whether another field's option fixes it, field, value)."""


def _fixed(point: _Point) -> set[str]:
    return {name for is_fixed, name, _ in point if is_fixed}


@dataclass(frozen=True, slots=True)
class SearchSpace:
    """What may vary, and what is fixed.

    Attributes:
        name: The space's name.
        fields: Every field that the file names, stage by stage, fixed ones too.
        stages: Number of stages.
        toml: The text that says all this; of a loaded file, exactly its text.
    """

    name: str
    fields: tuple[Choice, ...]
    stages: int
    toml: str = field(compare=False, repr=False)
    _grouped: dict[str, list[Choice]] = field(
        init=False, compare=False, repr=False, default_factory=dict
    )

    def __post_init__(self) -> None:
        for choice in self.fields:
            self._grouped.setdefault(choice.group, []).append(choice)

    @property
    def choices(self) -> tuple[Choice, ...]:
        """The fields that have more than one option."""
        return tuple(choice for choice in self.fields if len(choice.options) > 1)

    @property
    def size(self) -> int:
        """Number of points. Distinct networks may be fewer: some points spell the same one."""
        return math.prod(len(choice.options) for choice in self.choices)

    @property
    def resolutions(self) -> tuple[int, ...]:
        """Allowed resolutions in pixels, ascending."""
        return tuple(sorted(value for (value,) in self.values("", {"resolution": None})))

    def values(self, group: str, defaults: Mapping[str, Any]) -> set[tuple[Any, ...]]:
        """All values that some fields of one group can take together.

        Args:
            group: `stage2`, `stem`, `head`, or empty for the network.
            defaults: The fields, with what they hold where the space does not name them.
        """
        points: set[_Point] = {frozenset()}
        # Fields that fix others come first: what they fix needs no product with its own choice.
        for choice in sorted(self._grouped.get(group, ()), key=lambda one: not one.fixes):
            said = {
                frozenset(
                    (name != choice.field, name, value)
                    for name, value in ((choice.field, option.value), *option.also)
                    if name in defaults
                )
                for option in choice.options
            }
            points = {
                both
                for point in points
                for both in (
                    [point]
                    if not choice.fixes and choice.field in _fixed(point)
                    else [point | more for more in said]
                )
            }
        # What an option fixes stands above the field's own choice, as in `architecture`.
        taken = (
            {**defaults, **{name: value for _, name, value in sorted(point, key=lambda p: p[0])}}
            for point in points
        )
        return {tuple(values.values()) for values in taken}

    def architecture(self, params: Mapping[str, Label]) -> Architecture:
        """The network at a point.

        Raises:
            SpaceError: a choice without a label, an unknown choice, or a label that is no option.
        """
        names = [choice.name for choice in self.choices]
        for name in params:
            if name not in names:
                raise SpaceError(f'"{name}": no choice of space {self.name}{nearest(name, names)}')
        groups: dict[str, dict[str, Any]] = {}
        overrides: list[tuple[str, str, Any]] = []
        for choice in self.fields:
            if len(choice.options) == 1:
                option = choice.options[0]
            elif choice.name in params:
                option = choice.option(params[choice.name])
            else:
                raise SpaceError(f"{choice.name}: no option chosen")
            groups.setdefault(choice.group, {})[choice.field] = option.value
            overrides += [(choice.group, name, value) for name, value in option.also]
        # An option that fixes other fields stands above their own choices.
        for group, name, value in overrides:
            groups[group][name] = value
        stages = (groups.get(f"stage{at}", {}) for at in range(1, self.stages + 1))
        return Architecture(
            stem=Stem(**groups.get("stem", {})),
            stages=tuple(Stage(**stage) for stage in stages),
            head=Head(**groups.get("head", {})),
            **groups[""],
        )

    def params(self, architecture: Architecture) -> Params | None:
        """The point at which a network stands; None where the space does not hold it."""
        groups: dict[str, Any] = {
            "": architecture,
            "stem": architecture.stem,
            "head": architecture.head,
            **{f"stage{at}": stage for at, stage in enumerate(architecture.stages, start=1)},
        }
        if len(architecture.stages) != self.stages:
            return None
        found = {choice.name: choice.nearest(groups[choice.group]) for choice in self.choices}
        try:
            same = self.architecture(found).id == architecture.id
        except SpaceError:  # near options that make no network together
            return None
        return found if same else None

    def sample(self, rng: random.Random) -> Params:
        """A point, every option of every choice equally likely."""
        return {choice.name: rng.choice(choice.labels) for choice in self.choices}

    def neighbours(self, params: Mapping[str, Label]) -> Iterator[Params]:
        """All points that differ from this one in exactly one choice."""
        for choice in self.choices:
            for label in choice.labels:
                if label != params[choice.name]:
                    yield {**params, choice.name: label}
