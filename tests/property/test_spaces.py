"""What holds of every search space: file ↔ space ↔ architecture ↔ id."""

from __future__ import annotations

import itertools
import random
from collections import Counter
from unittest import mock

import pytest
import torch
from hypothesis import assume, event, given, settings
from hypothesis import strategies as st
from property.strategies import Table, space_tables, spaces
from unit.model.counting import multiply_accumulates, parameter_count

from mbnas.errors import SpaceError
from mbnas.model import build
from mbnas.network import Architecture, costs
from mbnas.space import Params, SearchSpace, load_space, make_space, read_space

seeds = st.integers(0, 2**32)


@given(space=spaces())
def test_space_to_file_and_back(
    tmp_path_factory: pytest.TempPathFactory, space: SearchSpace
) -> None:
    path = tmp_path_factory.mktemp("spaces", numbered=True) / "space.toml"
    path.write_bytes(space.toml.encode())
    again = load_space(path)
    assert again == space
    assert again.toml == space.toml
    assert read_space(again.toml) == space


@given(spaces(), seeds)
def test_point_to_architecture_to_json_and_back(space: SearchSpace, seed: int) -> None:
    point = space.sample(random.Random(seed))
    architecture = space.architecture(point)
    again = Architecture.from_json(architecture.to_json())
    assert again == architecture
    assert again.id == architecture.id
    assert read_space(space.toml).architecture(point).id == architecture.id
    assert len(architecture.describe().splitlines()) == space.stages + 2


@given(spaces(), seeds)
def test_the_id_belongs_to_the_graph(space: SearchSpace, seed: int) -> None:
    """Equal graphs have equal ids and others others, between a point and all its neighbours."""
    point = space.sample(random.Random(seed))
    points = [point, *itertools.islice(space.neighbours(point), 12)]
    architectures = [space.architecture(one) for one in points]
    for one, other in itertools.combinations(architectures, 2):
        same = [(node.op, node.inputs) for node in one.lower().nodes] == [
            (node.op, node.inputs) for node in other.lower().nodes
        ]
        assert (one.id == other.id) == same


@given(spaces(), seeds)
def test_samples_are_points_and_follow_the_seed(space: SearchSpace, seed: int) -> None:
    point = space.sample(random.Random(seed))
    assert point == space.sample(random.Random(seed))
    assert list(point) == [choice.name for choice in space.choices]
    assert all(point[choice.name] in choice.labels for choice in space.choices)


@given(spaces(), seeds)
def test_neighbours_differ_in_one_choice_and_are_symmetric(space: SearchSpace, seed: int) -> None:
    point = space.sample(random.Random(seed))
    neighbours = list(space.neighbours(point))
    assert len(neighbours) == sum(len(choice.options) - 1 for choice in space.choices)
    for neighbour in neighbours:
        assert list(neighbour) == list(point)
        assert sum(neighbour[name] != point[name] for name in point) == 1
        assert point in list(space.neighbours(neighbour))
        space.architecture(neighbour)
    assert max(Counter(map(repr, neighbours)).values(), default=1) == 1


def every_point(space: SearchSpace) -> list[Params]:
    names = [choice.name for choice in space.choices]
    labels = (choice.labels for choice in space.choices)
    return [dict(zip(names, point, strict=True)) for point in itertools.product(*labels)]


@given(spaces(), seeds)
@settings(max_examples=60)
def test_size_is_what_neighbours_reach(space: SearchSpace, seed: int) -> None:
    assume(space.size <= 200)
    start = space.sample(random.Random(seed))
    reached = {tuple(start.items())}
    waiting = [start]
    while waiting:
        for neighbour in space.neighbours(waiting.pop()):
            if tuple(neighbour.items()) not in reached:
                reached.add(tuple(neighbour.items()))
                waiting.append(neighbour)
    assert len(reached) == space.size == len(every_point(space))


@given(space_tables())
@settings(max_examples=100)
def test_a_space_is_refused_exactly_where_some_point_cannot_be(table: Table) -> None:
    try:
        with mock.patch("mbnas.space.parse._check_maps"):
            unchecked = make_space(**table)
    except SpaceError as error:
        assert "stands" in str(error)  # a repeated option, as 1 and 1.0  # noqa: PT017
        assume(False)
    assume(unchecked.size <= 60)
    faults = set()
    for point in every_point(unchecked):
        try:
            unchecked.architecture(point)
        except SpaceError as error:
            faults.add(str(error))
    if faults:
        event("refused")
        with pytest.raises(SpaceError) as refused:
            make_space(**table)
        assert str(refused.value) in faults
    else:
        event("loaded")
        assert make_space(**table) == unchecked


@given(spaces(), seeds)
@settings(max_examples=30)
def test_sampled_networks_can_be_built_and_cost_what_arithmetic_says(
    space: SearchSpace, seed: int
) -> None:
    architecture = space.architecture(space.sample(random.Random(seed)))
    said = costs(architecture.lower(5))
    network = build(architecture, 5).eval()
    size = architecture.resolution
    images = torch.zeros(2, 3, size, size)
    assert said.params == parameter_count(network)
    assert said.macs == multiply_accumulates(network, images)
    assert said.resolution == size
    with torch.no_grad():
        assert network(images).shape == (2, 5)


@given(spaces(), spaces(), seeds)
def test_a_network_has_a_point_where_the_space_holds_it(
    space: SearchSpace, other: SearchSpace, seed: int
) -> None:
    network = space.architecture(space.sample(random.Random(seed)))
    point = space.params(network)
    assert point is not None
    assert space.architecture(point).id == network.id
    elsewhere = other.params(network)
    assert elsewhere is None or other.architecture(elsewhere).id == network.id
