"""The figures of a study, for the report and for whatever else draws one.

Each function takes what it draws, most of them a study, and gives a Plotly figure in light colours;
`mbnas.report.style.DARK` says how it looks on a dark page.
"""

from mbnas.report.figures.choices import choices_figure
from mbnas.report.figures.contest import confirmation_figure
from mbnas.report.figures.curves import curves_figure
from mbnas.report.figures.front import Axes, front_figure
from mbnas.report.figures.hypervolume import hypervolume_figure
from mbnas.report.figures.importance import importance_figure
from mbnas.report.figures.latency import latency_figure
from mbnas.report.figures.parallel import parallel_figure
from mbnas.report.figures.profile import profile_figure
from mbnas.report.figures.time import time_figure

__all__ = [
    "Axes",
    "choices_figure",
    "confirmation_figure",
    "curves_figure",
    "front_figure",
    "hypervolume_figure",
    "importance_figure",
    "latency_figure",
    "parallel_figure",
    "profile_figure",
    "time_figure",
]
