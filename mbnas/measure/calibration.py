"""Calibrating a predictor to this machine, and keeping what was learnt."""

from __future__ import annotations

import hashlib
import random
import time
from collections import defaultdict
from collections.abc import Callable
from itertools import islice
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, PlainSerializer, PlainValidator, ValidationError

from mbnas.errors import MeasureError, SpaceError
from mbnas.files import write_atomically
from mbnas.measure.host import Host, this_host
from mbnas.measure.latency import OrtLatencyMeter
from mbnas.measure.memory import cache_folder
from mbnas.measure.onnx_file import to_onnx
from mbnas.measure.predictor import LatencyPredictor, PredictionError
from mbnas.measure.profile import OperatorTime
from mbnas.measure.units import Unit, unit_names, units
from mbnas.network import Architecture
from mbnas.space import SearchSpace

SECONDS = 150.0
MOST_SECONDS = 86_400  # a day
UNITS_UNTIL = 0.5
FITTED_UNTIL = 0.8
"""Shares of the time at which timing units ends and timing whole networks for the fit ends."""
LEAST = (30, 12, 10)
"""Networks for units, for the fit, and unseen ones, however little time there is."""
TRIES = 1000
"""Points drawn in search of one more network before a space is taken to have no other."""

Progress = Callable[[str, int, float], None]
"""Hears what is being timed, how many networks so far, and the share of the time that is spent."""


def _read_architecture(value: Any) -> Architecture:
    return value if isinstance(value, Architecture) else Architecture.from_dict(value)


_Architecture = Annotated[
    Architecture,
    PlainValidator(_read_architecture),
    PlainSerializer(lambda architecture: architecture.to_dict()),
]


class _TimedUnit(BaseModel):
    kind: str
    features: tuple[float, ...]
    work: tuple[float, float, float]
    ms: float
    count: int


class Calibration(BaseModel):
    """What was measured on one machine to predict the latencies of one space.

    Attributes:
        space: The space's name.
        space_digest: A hash of its text.
        classes: Number of classes.
        host: The machine, with threads and ONNX Runtime's version.
        seconds: Time spent.
        timed_units: Units and their times inside networks.
        fitted: Whole networks that the predictor was fitted to, with `latency_ms`.
        unseen: Whole networks that show its error, none of them among the others.
        settings: Of the fit, so that it need not be found again.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    schema_version: Literal[1] = 1
    space: str
    space_digest: str
    classes: int
    host: Host
    seconds: float
    timed_units: tuple[_TimedUnit, ...]
    fitted: tuple[tuple[_Architecture, float], ...]
    unseen: tuple[tuple[_Architecture, float], ...]
    settings: dict[str, tuple[float, ...]]

    def predictor(self) -> LatencyPredictor:
        """The predictor fitted to these."""
        times = {
            Unit(one.kind, one.features, one.work): (one.ms, one.count) for one in self.timed_units
        }
        return LatencyPredictor(times, self.fitted, self.classes, self.settings or None)

    def error(self) -> PredictionError:
        """How far its predictions are from measurements, on networks that it has not seen."""
        return self.predictor().error_on(self.unseen)

    def save(self, path: str | Path) -> None:
        """Writes it as JSON.

        Raises:
            MeasureError: it cannot be written.
        """
        path = Path(path)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            write_atomically(path, self.model_dump_json().encode())
        except OSError as error:
            raise MeasureError(f"{path}: cannot be written ({error.strerror})") from None


def calibrate(
    space: SearchSpace,
    *,
    classes: int = 10,
    threads: int = 1,
    seconds: float = SECONDS,
    seed: int = 0,
    meter: OrtLatencyMeter | None = None,
    progress: Progress = lambda *_: None,
) -> Calibration:
    """Times networks of a space, part by part and as a whole, and fits a predictor to them.

    Args:
        space: Whose networks are to be predicted.
        classes: Number of classes of the data.
        threads: Threads of a network.
        seconds: Time to spend; every phase takes a least number of networks.
        seed: Of the networks drawn.
        meter: In place of a fresh one.
        progress: Hears what happens.

    Raises:
        MeasureError: no time to spend, too few networks in the space, or one that cannot be run.
    """
    if not 0 < seconds <= MOST_SECONDS:
        raise MeasureError(f"seconds = {seconds:g}: must be above 0, and at most {MOST_SECONDS:,}")
    run = _Calibrating(space, classes, seconds, meter or OrtLatencyMeter(threads), seed, progress)
    run.phase("units", UNITS_UNTIL, LEAST[0], run.time_units)
    run.phase("networks", FITTED_UNTIL, LEAST[1], lambda one: run.time_whole(run.fitted, one))
    run.phase("unseen networks", 1.0, LEAST[2], lambda one: run.time_whole(run.unseen, one))
    spent = time.perf_counter() - run.start
    progress("fitting", len(run.fitted), 1.0)
    medians = {unit: (float(np.median(ms)), len(ms)) for unit, ms in run.times.items()}
    settings = LatencyPredictor(medians, run.fitted, classes).settings
    return Calibration(
        space=space.name,
        space_digest=space_digest(space),
        classes=classes,
        host=this_host(run.meter.threads),
        seconds=spent,
        timed_units=tuple(
            _TimedUnit(kind=u.kind, features=u.features, work=u.work, ms=ms, count=count)
            for u, (ms, count) in medians.items()
        ),
        fitted=tuple(run.fitted),
        unseen=tuple(run.unseen),
        settings={kind: tuple(values) for kind, values in settings.items()},
    )


class _Calibrating:
    """A calibration under way: networks are drawn, each once over all phases, and timed."""

    def __init__(
        self,
        space: SearchSpace,
        classes: int,
        seconds: float,
        meter: OrtLatencyMeter,
        seed: int,
        progress: Progress,
    ) -> None:
        self.meter = meter
        self.start = time.perf_counter()
        self.times: dict[Unit, list[float]] = defaultdict(list)
        self.fitted: list[tuple[Architecture, float]] = []
        self.unseen: list[tuple[Architecture, float]] = []
        self._space = space
        self._classes = classes
        self._seconds = seconds
        self._rng = random.Random(seed)
        self._progress = progress
        self._drawn: set[str] = set()
        # Before any is timed: of a small space, the first phase would leave none to the last.
        self._dealt = list(islice(iter(self._fresh, None), sum(LEAST)))
        if len(self._dealt) < sum(LEAST):
            raise MeasureError(
                f"{space.name}: has fewer than {sum(LEAST)} networks; a space this small needs no"
                " predictor: a search measures its networks"
            )

    def phase(
        self, name: str, until: float, least: int, work: Callable[[Architecture], None]
    ) -> None:
        """Works on network after network until a share of the time is spent, or all are."""
        done = 0
        while (spent := (time.perf_counter() - self.start) / self._seconds) < until or done < least:
            architecture = self._dealt.pop() if done < least else self._fresh()
            if architecture is None:
                break
            self._progress(name, done, min(1.0, spent))
            work(architecture)
            done += 1

    def time_units(self, architecture: Architecture) -> None:
        """Times the units of one network inside it."""
        operators = self.meter.profile(to_onnx(architecture.lower(self._classes)))
        for unit, ms in _unit_times(architecture, self._classes, operators):
            self.times[unit].append(ms)

    def time_whole(
        self, into: list[tuple[Architecture, float]], architecture: Architecture
    ) -> None:
        """Measures one network as a whole."""
        (latency,) = self.meter.measure([architecture], self._classes)
        if latency.noisy:  # another moment may be better
            again = self.meter.measure([architecture], self._classes)
            latency = min(latency, *again, key=lambda one: one.high_ms / one.low_ms)
        into.append((architecture, latency.latency_ms))

    def _fresh(self) -> Architecture | None:
        """A network not drawn before; None where the space seems to have no other."""
        for _ in range(TRIES):
            architecture = self._space.architecture(self._space.sample(self._rng))
            if architecture.id not in self._drawn:
                self._drawn.add(architecture.id)
                return architecture
        return None


def load_calibration(path: str | Path) -> Calibration:
    """Reads a calibration made on this machine.

    Raises:
        MeasureError: not there, damaged, or made on another machine.
    """
    try:
        calibration = Calibration.model_validate_json(Path(path).read_bytes())
    except OSError as error:
        raise MeasureError(f"{path}: cannot be read ({error.strerror})") from None
    except (ValidationError, SpaceError) as error:
        said = error.errors()[0]["msg"] if isinstance(error, ValidationError) else error
        raise MeasureError(f"{path}: no calibration ({said}); make it: mbnas calibrate") from None
    here, there = this_host(calibration.host.threads), calibration.host
    for name in ("cpu", "cores", "onnxruntime", "governor", "system"):
        if getattr(here, name) != getattr(there, name):
            raise MeasureError(
                f"{path}: calibrated with {name} = {getattr(there, name)}, here it is"
                f" {getattr(here, name)}; calibrate here: mbnas calibrate"
            )
    return calibration


def find_calibration(space: SearchSpace, classes: int, threads: int) -> Calibration | None:
    """The calibration of a space on this machine that `mbnas calibrate` left, if there is one."""
    path = calibration_path(space, classes, threads)
    return load_calibration(path) if path.exists() else None


def calibrated_classes(space: SearchSpace, threads: int) -> list[int]:
    """For which numbers of classes a space was calibrated on this machine."""
    before, after = _calibration_name(space, threads)
    files = calibration_path(space, 0, threads).parent.glob("*.json")
    names = (file.name for file in files)
    between = (
        name.removeprefix(before).removesuffix(after)
        for name in names
        if name.startswith(before) and name.endswith(after)
    )
    return sorted(int(one) for one in between if one.isdecimal())


def calibration_path(space: SearchSpace, classes: int, threads: int) -> Path:
    """Where the calibration of a space on this machine is kept."""
    before, after = _calibration_name(space, threads)
    return cache_folder() / "calibrations" / f"{before}{classes}{after}"


def _calibration_name(space: SearchSpace, threads: int) -> tuple[str, str]:
    """What stands before the number of classes and after it."""
    fingerprint = this_host(threads).fingerprint
    return f"{space.name}-{space_digest(space)}-", f"-{fingerprint}.json"


def space_digest(space: SearchSpace) -> str:
    """Short, and the same for spaces with the same text."""
    return hashlib.sha256(space.toml.encode()).hexdigest()[:12]


def _unit_times(
    architecture: Architecture, classes: int, operators: list[OperatorTime]
) -> list[tuple[Unit, float]]:
    """Every unit of a network with the time of its operators."""
    graph = architecture.lower(classes)
    unit_of = unit_names(graph)
    spent: dict[str, float] = defaultdict(float)
    unit = next(iter(unit_of.values()))
    for operator in operators:
        # What ONNX Runtime adds, such as a change of layout, belongs to the unit before it.
        unit = unit_of.get(operator.name, unit_of.get(operator.name.rpartition(".")[0], unit))
        spent[unit] += operator.milliseconds
    return [(one, spent[name]) for name, one in units(graph).items()]
