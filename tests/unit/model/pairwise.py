"""Few cases in which all pairs of options meet."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Any

Case = dict[str, Any]
Pair = tuple[tuple[str, int], tuple[str, int]]


def all_pairs(options: Mapping[str, Sequence[object]]) -> set[Pair]:
    """Every pair of options of two different fields, each option by its position."""
    places = [(name, at) for name, values in options.items() for at in range(len(values))]
    return {(one, other) for one, other in combinations(places, 2) if one[0] != other[0]}


def pairs_of(case: Mapping[str, int]) -> set[Pair]:
    return set(combinations(case.items(), 2))


def pairwise(options: Mapping[str, Sequence[Any]]) -> list[Case]:
    """Greedily: each case begins with an open pair and takes in as many more as it can."""
    names = list(options)
    missing = all_pairs(options)
    cases = []
    while missing:
        case = dict(min(missing))
        for name in names:
            if name not in case:
                case[name] = max(
                    range(len(options[name])),
                    key=lambda at, name=name, case=case: sum(  # type: ignore[misc]
                        pair in missing
                        for other in case.items()
                        for pair in ((other, (name, at)), ((name, at), other))
                    ),
                )
        ordered = {name: case[name] for name in names}
        missing -= pairs_of(ordered)
        cases.append({name: options[name][at] for name, at in ordered.items()})
    return cases
