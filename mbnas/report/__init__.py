"""Looking at a study: figures, tables, and the report that holds them in one HTML file."""

from mbnas.report.figures import (
    choices_figure,
    curves_figure,
    front_figure,
    hypervolume_figure,
    profile_figure,
)
from mbnas.report.write import write_report

__all__ = [
    "choices_figure",
    "curves_figure",
    "front_figure",
    "hypervolume_figure",
    "profile_figure",
    "write_report",
]
