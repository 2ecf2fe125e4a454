"""What is said of networks and studies, as HTML."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from unit.report.fakes import HOSTILE, with_trials

from mbnas.dashboard.about_view import about, problems_said
from mbnas.dashboard.network_page import comparison, nearest, network_page
from mbnas.dashboard.studies_view import apart, fronts_figure, studies_table
from mbnas.dashboard.trials_view import ROWS, trials_page
from mbnas.report.groups import value_of
from mbnas.search import Study, hypervolume
from mbnas.search.front import points


def rows(html: str) -> list[str]:
    body = html.partition("<tbody>")[2]
    return re.findall(r"<tr>(.*?)</tr>", body, re.DOTALL)


def test_every_network_has_a_page(study: Study) -> None:
    for trial in study.trials:
        page = network_page(study, trial)
        assert f"trial {trial.number}" in page
        assert trial.architecture.id in page
        assert "<svg" in page
        assert HOSTILE not in page
        assert "<script" not in page


def test_neighbours_are_the_networks_that_differ_least(study: Study) -> None:
    trial = study.front[0]
    found = nearest(study, trial)

    def apart(other: object) -> int:
        params = getattr(other, "params", {})
        return sum(params.get(name) != label for name, label in trial.params.items())

    rest = [
        one
        for one in study.trials
        if one.status == "trained" and one is not trial and one not in found
    ]
    assert found
    assert max(map(apart, found)) <= min(map(apart, rest))
    assert trial not in found


def test_two_networks_side_by_side(study: Study) -> None:
    first, second = study.front[0], study.front[-1]
    page = comparison(study, first, second)
    differing = [name for name in first.params if first.params[name] != second.params[name]]
    assert f"{len(differing)} of {len(first.params)} choices differ" in page
    for name in first.params:
        (row,) = [row for row in rows(page) if f">{name}<" in row]
        assert ("<mark>" in row) == (name in differing)
    assert page.count("<svg") == 2


def test_every_trial_is_in_the_table_once(study: Study) -> None:
    pages = -(-len(study.trials) // ROWS)
    found = [
        row for page in range(pages) for row in rows(trials_page(study, "all", "x", False, page))
    ]
    numbers = [int(n) for row in found for n in re.findall(r'data-trial="(\d+)"', row)]
    assert numbers == [trial.number for trial in study.trials]


@pytest.mark.parametrize("quantity", ["accuracy", "latency_ms", "params", "training_seconds"])
@pytest.mark.parametrize("down", [False, True])
def test_the_table_is_sorted_and_what_is_unknown_comes_last(
    study: Study, quantity: str, down: bool
) -> None:
    found: list[int] = []
    for page in range(2):
        html = trials_page(study, "all", quantity, down, page)
        found += [int(number) for number in re.findall(r'data-trial="(\d+)"', html)]
    values = [value_of(study.trial(number), quantity) for number in found]
    known = [value for value in values if value is not None]
    assert known == sorted(known, reverse=down)
    assert values[: len(known)] == known


def test_the_table_is_sifted(study: Study) -> None:
    shown = trials_page(study, "failed", "number", False, 0)
    assert len(rows(shown)) == sum(trial.status == "failed" for trial in study.trials)
    assert HOSTILE not in shown
    assert "page 1 of 1" in trials_page(study, "front", "number", False, 99)


def test_studies_compare_on_one_reference_point(study: Study) -> None:
    half = with_trials(study, study.trials[:30])
    both = {"whole": study, "half": half}
    found = rows(studies_table(both))
    area = hypervolume(points(half.front, half.record.goals), half.record.reference)
    assert f"{area:#.3g}" in found[1]
    figure = fronts_figure(both)
    assert [trace.name for trace in figure.data] == ["whole", "half"]
    assert len({trace.marker.symbol for trace in figure.data}) == 2
    assert len({trace.marker.color for trace in figure.data}) == 2
    empty = with_trials(study, [])
    assert "no study has a front" in fronts_figure({"empty": empty}).layout.annotations[0].text
    assert rows(studies_table({"empty": empty}))


def test_what_studies_differ_in_beside_the_search_is_said(study: Study) -> None:
    record = study.record
    assert apart([study, study]) == ""
    changed = {
        "epochs": {"recipe": replace(record.recipe, epochs=90)},
        "images": {"data": record.data.model_copy(update={"digest": "other"})},
        "limits": {"goals": replace(record.goals, limits=())},
        "threads": {"threads": record.threads + 1},
    }
    others = {
        name: Study(study.folder, record.model_copy(update=update), study.space, study.trials)
        for name, update in changed.items()
    }
    for name, other in others.items():
        assert f"Not alike in all of them: {name}." in apart([study, other])
    every = apart([study, *others.values()])
    assert all(name in every for name in changed)
    table = studies_table({"mine": study, "other": others["epochs"]})
    assert record.data.spec in rows(table)[0]
    assert ">90<" in rows(table)[1]


def test_a_front_of_two_has_no_knee(study: Study) -> None:
    two = with_trials(study, study.front[:2])
    assert not any("the knee" in network_page(two, trial) for trial in two.front)


def test_what_it_was_made_on(study: Study) -> None:
    page = about(study)
    assert f"sqlite:///{study.folder.database}" in page
    assert "FrontReach" in page


def test_problems_are_named_and_counted() -> None:
    said = problems_said([f"trial {at}: damaged {HOSTILE}" for at in range(9)])
    assert "trial 2" in said
    assert "trial 3" not in said
    assert "and 6 more" in said
    assert HOSTILE not in said
    assert problems_said([]) == ""
