"""Where the axis up ends, so that a few stopped networks do not flatten the front."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import plotly.graph_objects as go

from mbnas.report.figures.contest import contest_values
from mbnas.report.figures.plane import Axes, Numbers
from mbnas.report.groups import all_seen, groups
from mbnas.search import Study
from mbnas.search.objectives import QUALITIES

HEADROOM = 0.06
"""Above the most accurate network, as a share of the height that is shown."""
CLIP_FROM = 0.02
"""Accuracies that lie less apart than this are given so much room below, as if they lay so."""


@dataclass(frozen=True, slots=True)
class Clip:
    """Where the axis up ends until it is dragged, as some networks were stopped far below.

    Attributes:
        ends: The lowest accuracy shown, and the highest of networks that were not stopped.
        below: How many of those that were lie lower.
    """

    ends: tuple[float, float]
    below: int


def clipped(study: Study, axes: Axes) -> Clip | None:
    """What keeps a few stopped networks from flattening the plot; None where none would.

    What was not stopped has at least half of the height, unless it is hardly spread at all.
    """
    if axes.y not in QUALITIES or axes.log_y:
        return None
    found = groups(study)
    own = all_seen([*found["front"], *found["dominated"]], axes.y)
    known = np.concatenate([own[~np.isnan(own)], contest_values(study, axes.y)])
    if not known.size:
        return None
    low, high = float(known.min()), float(known.max())
    lowest = max(0.0, low - max(high - low, CLIP_FROM))
    below = int((all_seen(found["stopped"], axes.y) < lowest).sum())
    return Clip((lowest, high), below) if below else None


def end_at(figure: go.Figure, clip: Clip, heights: Numbers) -> None:
    """Lets the axis up end there, until it is dragged.

    Args:
        figure: With that axis.
        clip: Where it ends.
        heights: All that stands on it, NaN where it is not known.
    """
    low = clip.ends[0]
    high = max(clip.ends[1], float(np.nanmax(heights, initial=0.0)))
    # Room that Plotly leaves above is in proportion to what lies below, far down.
    most = high + HEADROOM * (high - low)
    figure.update_layout(yaxis_autorangeoptions={"clipmin": low, "clipmax": most})
