"""What the panel of the network that is open shows, and what of it stays."""

from __future__ import annotations

from dash import no_update
from unit.report.fakes import with_trials

from mbnas.dashboard.network_page import nearest, network_page
from mbnas.dashboard.network_view import network_told
from mbnas.search import Study, Trial

LATENCY = 2
"""Where the latency beside the neighbours' stands among the panel's parts."""


def changed(study: Study, trial: Trial, known: dict[str, object]) -> list[int]:
    """Which of the panel's parts are sent."""
    parts = network_told(study, trial, known)
    return [at for at, part in enumerate(parts) if part is not no_update]


def test_a_search_that_goes_on_changes_a_networks_place_and_neighbours_alone(study: Study) -> None:
    half = with_trials(study, study.trials[:30])
    trial = half.front[0]
    assert nearest(half, trial) != nearest(study, trial)
    every = list(range(9))
    assert changed(half, trial, {}) == every
    known = network_told(half, trial, {})[-1]
    assert changed(half, trial, known) == [0, 8]
    assert changed(study, trial, known) == [0, LATENCY, 8]
    page = network_told(study, trial, known)[0]
    assert page == network_page(study, trial) != network_page(half, trial)
    assert changed(study, study.front[-1], known) == every
