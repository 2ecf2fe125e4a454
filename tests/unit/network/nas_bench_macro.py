"""The published table of NAS-Bench-Macro, and the search-space file that spells its networks."""

from __future__ import annotations

import csv
import os
from dataclasses import dataclass
from pathlib import Path

from mbnas.network import Architecture
from mbnas.space import SearchSpace, load_space

TESTS = Path(__file__).parents[2]
FACTS = TESTS / "facts" / "nas_bench_macro.csv"
SPACE_FILE = TESTS.parent / "search_spaces" / "nas_bench_macro.toml"
CLASSES = 10


@dataclass(frozen=True)
class Row:
    """One published network: a digit a layer, three accuracies, its costs."""

    digits: str
    accuracies: tuple[float, ...]
    params: int
    macs: int


def whole_table() -> Path:
    """Where the 6,561 rows lie on a machine that has them."""
    folder = os.environ.get("MBNAS_TEST_DATA")
    data = Path(folder) if folder else TESTS.parent.parent / "shared" / "data"
    return data / "nas_bench_macro.csv"


def read_rows(path: Path) -> list[Row]:
    with path.open(newline="") as file:
        return [
            Row(
                digits=line["arch"],
                accuracies=tuple(float(line[name]) for name in ("acc1", "acc2", "acc3")),
                params=int(line["params"]),
                macs=int(line["macs"]),
            )
            for line in csv.DictReader(file)
        ]


def published_space() -> SearchSpace:
    return load_space(SPACE_FILE)


def architecture_of(space: SearchSpace, digits: str) -> Architecture:
    params = {
        choice.name: choice.labels[int(digit)]
        for choice, digit in zip(space.choices, digits, strict=True)
    }
    return space.architecture(params)
