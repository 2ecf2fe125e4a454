"""Published costs against built modules."""

from __future__ import annotations

import torch
from unit.model.counting import multiply_accumulates, parameter_count, undrawn_weights
from unit.network.nas_bench_macro import (
    CLASSES,
    FACTS,
    architecture_of,
    published_space,
    read_rows,
    whole_table,
)

from mbnas.model import build
from mbnas.network import costs


def test_a_hundred_built_networks_agree_with_arithmetic_and_table() -> None:
    """Spread over the space; those that the table at hand knows are held against it too."""
    space = published_space()
    path = whole_table()
    rows = {row.digits: row for row in read_rows(path if path.is_file() else FACTS)}
    spread = [
        "".join(str(number // 3**place % 3) for place in range(8)) for number in range(0, 6561, 71)
    ]
    built = set()
    held_against_the_table = 0
    for digits in dict.fromkeys([*(row.digits for row in read_rows(FACTS)), *spread]):
        architecture = architecture_of(space, digits)
        if architecture.id in built:
            continue
        with undrawn_weights():
            network = build(architecture, CLASSES)
        params = parameter_count(network)
        macs = multiply_accumulates(network, torch.zeros(2, 3, 32, 32))
        said = costs(architecture.lower(CLASSES))
        assert (said.params, said.macs) == (params, macs), digits
        if digits in rows:
            assert (rows[digits].params, rows[digits].macs) == (params, macs), digits
            held_against_the_table += 1
        built.add(architecture.id)
    assert len(built) >= 100
    assert held_against_the_table == (len(built) if path.is_file() else 21)
