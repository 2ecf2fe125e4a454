"""Where candidates are evaluated. An engine takes jobs and gives back outcomes, nothing more."""

from mbnas.engine.beside import MeasuringProcess
from mbnas.engine.jobs import (
    Engine,
    Failed,
    FailureKind,
    Job,
    LaidDown,
    Measure,
    Measured,
    Outcome,
    Train,
    Trained,
)
from mbnas.engine.local import LocalEngine
from mbnas.engine.make import (
    ENGINES,
    EngineName,
    check_engine,
    make_engine,
    make_trainer,
    settled_engine,
)
from mbnas.engine.packed import PackedEngine
from mbnas.engine.work import TRIAL_FAILURES
from mbnas.engine.worker import check_not_in_worker
from mbnas.engine.workers import WorkersEngine

__all__ = [
    "ENGINES",
    "TRIAL_FAILURES",
    "Engine",
    "EngineName",
    "Failed",
    "FailureKind",
    "Job",
    "LaidDown",
    "LocalEngine",
    "Measure",
    "Measured",
    "MeasuringProcess",
    "Outcome",
    "PackedEngine",
    "Train",
    "Trained",
    "WorkersEngine",
    "check_engine",
    "check_not_in_worker",
    "make_engine",
    "make_trainer",
    "settled_engine",
]
