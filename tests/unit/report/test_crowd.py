"""Of marks that would lie on one another, one."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from mbnas.report.figures.crowd import COLUMNS, ROWS, Window, parted
from mbnas.report.figures.front import Axes, front_figure
from mbnas.search import Study

numbers = st.lists(st.tuples(st.floats(-1e3, 1e3), st.floats(0, 1)), min_size=1, max_size=60)
ends = st.tuples(st.floats(-1e3, 1e3), st.floats(-1e3, 1e3))


@given(numbers, st.none() | ends, st.none() | ends)
def test_every_mark_has_one_beside_it_that_is_drawn(
    places: list[tuple[float, float]],
    across: tuple[float, float] | None,
    up: tuple[float, float] | None,
) -> None:
    x, y = np.array(places).T
    kept = parted(x, y, Window(across, up))
    width, height = np.ptp(x) / COLUMNS, np.ptp(y) / ROWS
    for at in range(len(x)):
        beside = (np.abs(x - x[at]) <= width * 1.01) & (np.abs(y - y[at]) <= height * 1.01)
        assert kept[beside].any()


def test_a_zoom_parts_what_lay_on_one_another() -> None:
    rng = np.random.default_rng(0)
    x, y = rng.random(50_000), rng.random(50_000)
    whole = parted(x, y, Window())
    assert whole.sum() <= (COLUMNS + 1) * (ROWS + 1)
    window = Window((0.5, 0.52), (0.5, 0.52))
    near = (x >= 0.5) & (x <= 0.52) & (y >= 0.5) & (y <= 0.52)
    closer = parted(x, y, window)
    assert closer[whole].all()
    assert whole[near].sum() < closer[near].sum() == near.sum()


def test_the_front_is_drawn_whole_and_the_rest_parted(mixed: Study) -> None:
    full = front_figure(mixed)
    light = front_figure(mixed, Axes.of(mixed.record.goals), Window())
    assert [trace.name for trace in full.data] == [trace.name for trace in light.data]
    for before, trace in zip(full.data, light.data, strict=True):
        if trace.meta:
            assert set(trace.customdata) <= set(before.customdata)
            assert len(trace.x) == len(trace.y) == len(trace.customdata)
            assert trace.hovertext is None
            assert "trial %{customdata}" in trace.hovertemplate
    front = next(trace for trace in light.data if trace.meta == "front")
    assert len(front.x) == len(mixed.front)
