"""Parameters, multiply-accumulates and ids against a published table."""

from __future__ import annotations

import itertools
from collections import defaultdict

import pytest
from unit.network.nas_bench_macro import (
    CLASSES,
    FACTS,
    architecture_of,
    published_space,
    read_rows,
    whole_table,
)

from mbnas.network import costs


def test_copied_rows() -> None:
    rows = read_rows(FACTS)
    space = published_space()
    assert len(rows) == 22
    ids = {}
    for row in rows:
        architecture = architecture_of(space, row.digits)
        measured = costs(architecture.lower(CLASSES))
        assert (measured.params, measured.macs) == (row.params, row.macs), row.digits
        ids[row.digits] = architecture.id
    assert ids["00000001"] == ids["00000010"]  # an identity before or after is the same network
    assert len(set(ids.values())) == 21


def test_the_space_spells_exactly_the_published_networks() -> None:
    space = published_space()
    assert space.size == 3**8 == 6561
    assert [choice.name for choice in space.choices] == [f"stage{at}.block" for at in range(1, 9)]
    assert {len(choice.options) for choice in space.choices} == {3}


def test_the_whole_table() -> None:
    path = whole_table()
    if not path.is_file():
        pytest.skip(f"{path} is not there; MBNAS_TEST_DATA names the folder of the table")
    rows = read_rows(path)
    every_spelling = {"".join(digits) for digits in itertools.product("012", repeat=8)}
    assert {row.digits for row in rows} == every_spelling
    assert len(rows) == 6561

    space = published_space()
    wrong = []
    accuracies_by_id = defaultdict(set)
    for row in rows:
        architecture = architecture_of(space, row.digits)
        # The graph of one class is at hand, lowered for the id; each class more is 1,280 weights
        # and a bias. The copied rows above are lowered with all ten.
        measured = costs(architecture.lower(1))
        found = (measured.params + 9 * 1281, measured.macs + 9 * 1280)
        if found != (row.params, row.macs):
            wrong.append((row, measured))
        accuracies_by_id[architecture.id].add(row.accuracies)
    assert not wrong
    assert len(accuracies_by_id) == 3969
    # Networks that share an id were one network to the authors too.
    assert all(len(accuracies) == 1 for accuracies in accuracies_by_id.values())
