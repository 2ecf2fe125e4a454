"""mbnas space: check, show or sample a search-space file."""

from __future__ import annotations

import argparse
import random

import mbnas


def run(arguments: argparse.Namespace) -> int:
    """Runs the verb."""
    space = mbnas.load_space(arguments.file)
    if arguments.action == "sample":
        _sample(space, arguments)
        return 0
    print(
        f"{space.name}: {space.size:,} points, {len(space.choices)} choices, {space.stages} stages"
    )
    if arguments.action == "show":
        width = max(len(choice.name) for choice in space.fields)
        for choice in space.fields:
            options = " | ".join(str(label) for label in choice.labels)
            print(f"  {choice.name:<{width}}  {options}")
    return 0


def _sample(space: mbnas.SearchSpace, arguments: argparse.Namespace) -> None:
    rng = random.Random(arguments.seed)
    for _ in range(arguments.n):
        architecture = space.architecture(space.sample(rng))
        if arguments.json:
            print(architecture.to_json(indent=None))
            continue
        costs = mbnas.costs(architecture.lower(arguments.classes))
        print(architecture.describe())
        print(
            f"{architecture.id}  {costs.params:,} parameters  {costs.macs:,} MACs "
            f" {costs.size_bytes:,} bytes\n"
        )
