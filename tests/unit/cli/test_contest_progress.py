"""The plain lines of trainings, whatever a failure's text holds."""

from __future__ import annotations

from io import StringIO

from helpers import some_architectures, tiny_space
from rich.console import Console

from mbnas.analysis.contenders import Contender
from mbnas.analysis.trainings import Done
from mbnas.cli.contest_progress import contest_progress

MARKUP = "[enforce fail at alloc_cpu.cpp:117] no room [/x]"  # what rich would take for markup


def test_a_failure_is_said_as_it_is() -> None:
    (network,) = some_architectures(tiny_space(), 1)
    failed = Done(id=network.id, seed=1, curve=(), seconds=0.0, failure=MARKUP)
    said = StringIO()
    with contest_progress(Console(file=said, width=40)) as watch:
        watch.planned(trainings=2, epochs=6, done=0)
        watch.training_ended(Contender("trial 3", network, 3), failed)
    assert said.getvalue().splitlines()[-1] == f"1/2  trial 3, seed 1: {MARKUP}"
