"""Looking at a study: figures, tables, and the report that holds them in one HTML file."""

from mbnas.report.figures import (
    Axes,
    choices_figure,
    curves_figure,
    front_figure,
    hypervolume_figure,
    importance_figure,
    latency_figure,
    parallel_figure,
    profile_figure,
    time_figure,
)
from mbnas.report.write import write_report

__all__ = [
    "Axes",
    "choices_figure",
    "curves_figure",
    "front_figure",
    "hypervolume_figure",
    "importance_figure",
    "latency_figure",
    "parallel_figure",
    "profile_figure",
    "time_figure",
    "write_report",
]
