"""Where candidates are evaluated. An engine takes jobs and gives back outcomes, nothing more."""

from mbnas.engine.beside import MeasuringProcess
from mbnas.engine.jobs import Engine, Failed, Job, Measure, Measured, Outcome, Train, Trained
from mbnas.engine.local import TRIAL_FAILURES, LocalEngine

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
    "Train",
    "Trained",
]
