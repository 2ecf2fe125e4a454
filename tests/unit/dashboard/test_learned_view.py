"""The front as it was."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import plotly.graph_objects as go
import pytest
from integration.contests import confirm, searched

import mbnas
from mbnas.dashboard.learned_view import front_then
from mbnas.report import contests, front_figure
from mbnas.search import Study


def traces(figure: go.Figure) -> dict[str, Any]:
    return {trace.meta: trace for trace in figure.data if trace.meta}


def test_the_front_as_it_was_stands_beside_the_confirmed_one_read_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    study = searched(tmp_path)
    found = confirm(study, seeds=1, baselines=(), near=0)
    read: list[Study] = []

    def opened(study: Study) -> mbnas.Confirmation | None:
        read.append(study)
        return mbnas.open_confirmation(study)

    monkeypatch.setattr(contests, "open_confirmation", opened)
    last = max(one.trial for one in found.networks if one.trial is not None)
    whole = traces(front_figure(study))
    for number in (last - 1, 0):
        then = traces(front_then(study, number))
        assert list(then["confirmed"].x) == list(whole["confirmed"].x)
        assert all(trial <= number for trial in then["front"].customdata)
    assert read == [study]
