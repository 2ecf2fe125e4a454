"""A table of known results, on which searches can be replayed."""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas
from numpy.typing import NDArray
from optuna.distributions import CategoricalDistribution

from mbnas.errors import StudyError
from mbnas.network.checks import nearest
from mbnas.search.front import hypervolume
from mbnas.search.study import Study

Params = Mapping[str, Any]
TIMED_ALIKE = 0.25
"""How much more, at most, another spelling of a network may cost: each was timed by itself. In
NAS-Bench-Macro they are up to 21% apart."""


@dataclass(frozen=True, slots=True)
class KnownTable:
    """Networks of which everything is known.

    Attributes:
        name: What it is called.
        choices: The choices' names, and the options that stand in the table.
        points: The option of every choice in each row, (rows, choices), by its index.
        networks: Which network each row is; equal numbers are one network, spelled twice.
        qualities: Measurements of the quantity to maximise, (rows, repeats).
        costs: The quantity to minimise, (rows,).
        known: Further quantities that are known before anything is evaluated.
        reference: The hypervolume's reference point, (quality, cost).
    """

    name: str
    choices: dict[str, tuple[Any, ...]]
    points: NDArray[np.intp]
    networks: NDArray[np.intp]
    qualities: NDArray[np.float64]
    costs: NDArray[np.float64]
    known: dict[str, NDArray[np.float64]]
    reference: tuple[float, float]
    _index: dict[tuple[int, ...], int] = field(default_factory=dict, repr=False, compare=False)

    def __post_init__(self) -> None:
        self._index.update({tuple(point): at for at, point in enumerate(self.points.tolist())})

    @property
    def size(self) -> int:
        """Number of distinct networks."""
        return len(set(self.networks.tolist()))

    @property
    def distributions(self) -> dict[str, CategoricalDistribution]:
        """The search space as Optuna has it."""
        return {name: CategoricalDistribution(options) for name, options in self.choices.items()}

    @property
    def hypervolume(self) -> float:
        """That of all rows, by their mean quality."""
        return self.hypervolume_of(range(len(self.points)))

    def hypervolume_of(self, rows: Sequence[int] | range) -> float:
        """That of some rows, by their mean quality."""
        quality = self.qualities.mean(axis=1)
        return hypervolume(((quality[at], self.costs[at]) for at in rows), self.reference)

    def row(self, params: Params) -> int:
        """The row at a point; where the table has none, the first of those nearest to it.

        Near is what differs in few choices.
        """
        point = tuple(options.index(params[name]) for name, options in self.choices.items())
        if point not in self._index:
            differing = np.sum(self.points != np.array(point), axis=1)
            return int(np.argmin(differing))
        return self._index[point]


@dataclass(frozen=True, slots=True)
class Columns:
    """What stands where in a CSV file.

    Attributes:
        choices: Columns of choices; one alone whose texts are as long as each other holds one
            choice a character.
        maximize: The quantity to maximise; several columns are repeated measurements of it.
        minimize: The cost to minimise.
        reference: The hypervolume's reference point, quality and cost, each a number, `min`
            or `max`.
        known: Columns known before anything is evaluated, beside the cost.
    """

    choices: tuple[str, ...]
    maximize: tuple[str, ...]
    minimize: str
    reference: tuple[str, str] = ("min", "max")
    known: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for name in ("choices", "maximize"):
            if not getattr(self, name):
                raise StudyError(f"{name} = []: name at least one column")
        places: dict[str, str] = {}
        for place, names in (
            ("choices", self.choices),
            ("maximize", self.maximize),
            ("minimize", (self.minimize,)),
            ("known", self.known),
        ):
            for name in names:
                if name in places:
                    raise StudyError(
                        f"{place} = {name}: stands in {places[name]} already; name each column once"
                    )
                places[name] = place

    @property
    def measured(self) -> tuple[str, ...]:
        """All that hold numbers."""
        return (*self.maximize, self.minimize, *self.known)


def read_table(path: str | Path, columns: Columns) -> KnownTable:
    """The table in a CSV file.

    Where measurements are repeated, rows with the same ones, and the same known columns, are one
    network spelled twice, if their costs are within a quarter of each other: costs may be timed.
    Where they are not repeated, each point is a network.

    Raises:
        StudyError: unreadable, a column that is not there or holds no numbers, a point that stands
            twice with different results.
    """
    path = Path(path)
    try:
        frame = pandas.read_csv(path, dtype=dict.fromkeys(columns.choices, str))
    except (OSError, ValueError) as error:
        raise StudyError(f"{path}: cannot be read as CSV ({error})") from None
    for name in (*columns.choices, *columns.measured):
        if name not in frame:
            raise StudyError(f'{path}: no column "{name}"{nearest(name, map(str, frame.columns))}')
    for name in columns.measured:
        numbers = pandas.to_numeric(frame[name], errors="coerce")
        if not np.all(np.isfinite(numbers)):
            row = int(np.flatnonzero(~np.isfinite(numbers))[0])
            raise StudyError(
                f"{path}: {name} = {frame[name][row]} in row {row + 1}: must be a number"
            )
        frame[name] = numbers
    if not len(frame):
        raise StudyError(f"{path}: has no rows")
    _check_points(frame, columns, path)
    labels = _labels(frame, columns.choices)
    costs = frame[columns.minimize].to_numpy(float)
    # Repeats alike in every digit are hardly chance; a single measurement may well be.
    if len(columns.maximize) > 1:
        networks = _spelled(frame[[*columns.maximize, *columns.known]].to_numpy(float), costs)
    else:
        _, networks = np.unique(labels.to_numpy(str), axis=0, return_inverse=True)
    qualities = frame[list(columns.maximize)].to_numpy(float)
    return _table(
        path.stem,
        labels,
        networks,
        qualities,
        costs,
        {name: frame[name].to_numpy(float) for name in columns.known},
        (
            _reference(columns.reference[0], qualities.mean(axis=1), path),
            _reference(columns.reference[1], costs, path),
        ),
    )


def table_of_study(study: Study) -> KnownTable:
    """The trained trials of a finished study.

    Raises:
        StudyError: it has fewer than three.
    """
    goals = study.record.goals
    trained = [one for one in study.trials if one.status == "trained" and not one.outside]
    if len(trained) < 3:
        raise StudyError(f"{study.folder.path}: has {len(trained)} trained trials, too few")
    labels = pandas.DataFrame([trial.params for trial in trained])
    ids: dict[Hashable, int] = {}
    for trial in trained:
        ids.setdefault(trial.architecture.id, len(ids))
    return _table(
        study.record.name,
        labels,
        np.array([ids[trial.architecture.id] for trial in trained]),
        np.array([[trial.value(goals.quality)] for trial in trained], dtype=float),
        np.array([trial.value(goals.cost) for trial in trained], dtype=float),
        {
            name: np.array([trial.value(name) for trial in trained], dtype=float)
            for name in ("macs", "params")
        },
        study.record.reference,
    )


def _table(
    name: str,
    labels: pandas.DataFrame,
    networks: NDArray[np.intp],
    qualities: NDArray[np.float64],
    costs: NDArray[np.float64],
    known: dict[str, NDArray[np.float64]],
    reference: tuple[float, float],
) -> KnownTable:
    options = {column: tuple(sorted(set(labels[column]), key=_sorting)) for column in labels}
    points = np.array(
        [
            [options[column].index(value) for column, value in zip(options, row, strict=True)]
            for row in labels.itertuples(index=False)
        ],
        dtype=np.intp,
    )
    return KnownTable(
        name=name,
        choices={str(column): values for column, values in options.items()},
        points=points,
        networks=networks.reshape(-1),
        qualities=qualities,
        costs=costs,
        known=known,
        reference=reference,
    )


def _spelled(measured: NDArray[np.float64], costs: NDArray[np.float64]) -> NDArray[np.intp]:
    """Which network each row is: one where all is measured alike and costs are near."""
    alike = np.unique(measured, axis=0, return_inverse=True)[1].reshape(-1)
    order = np.lexsort((costs, alike))
    networks = np.empty(len(costs), dtype=np.intp)
    cheapest, network = order[0], 0
    for row in order:
        too_much = costs[row] - costs[cheapest] > TIMED_ALIKE * abs(costs[cheapest])
        if alike[row] != alike[cheapest] or too_much:
            cheapest, network = row, network + 1
        networks[row] = network
    return networks


def _sorting(label: Any) -> tuple[bool, float, str]:
    return (isinstance(label, str), 0.0 if isinstance(label, str) else float(label), str(label))


def _labels(frame: pandas.DataFrame, columns: Sequence[str]) -> pandas.DataFrame:
    """One column a choice."""
    lengths = set(frame[columns[0]].str.len())
    if len(columns) > 1 or len(lengths) > 1:
        return frame[list(columns)]
    (length,) = lengths
    digits = len(str(length))
    return pandas.DataFrame(
        {f"{columns[0]}{at + 1:0{digits}}": frame[columns[0]].str[at] for at in range(length)}
    )


def _check_points(frame: pandas.DataFrame, columns: Columns, path: Path) -> None:
    """Refuses rows that say different things of one point: the last alone could be reached."""
    results = frame[list(columns.measured)].to_numpy(float)
    first: dict[tuple[str, ...], int] = {}
    for at, point in enumerate(frame[list(columns.choices)].itertuples(index=False, name=None)):
        before = first.setdefault(point, at)
        if not np.array_equal(results[before], results[at]):
            said = ", ".join(
                f"{name} = {option}" for name, option in zip(columns.choices, point, strict=True)
            )
            raise StudyError(
                f"{path}: {said} in rows {before + 1} and {at + 1}, with different results; name"
                " all columns of choices with --choices"
            )


def _reference(text: str, values: NDArray[np.float64], path: Path) -> float:
    if text in ("min", "max"):
        return float(values.min() if text == "min" else values.max())
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise StudyError(f'{path}: reference "{text}": write a finite number, min or max')
    return number
