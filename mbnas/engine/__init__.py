"""Where candidates are evaluated. An engine takes jobs and gives back outcomes, nothing more."""

from mbnas.engine.beside import MeasuringProcess
from mbnas.engine.jobs import Engine, Failed, Job, Measure, Measured, Outcome, Train, Trained
from mbnas.engine.local import LocalEngine
from mbnas.engine.make import make_engine, make_trainer
from mbnas.engine.packed import PackedEngine
from mbnas.engine.work import TRIAL_FAILURES

__all__ = [
    "TRIAL_FAILURES",
    "Engine",
    "Failed",
    "Job",
    "LocalEngine",
    "Measure",
    "Measured",
    "MeasuringProcess",
    "Outcome",
    "PackedEngine",
    "Train",
    "Trained",
    "make_engine",
    "make_trainer",
]
