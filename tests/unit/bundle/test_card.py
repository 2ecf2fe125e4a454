"""What a card says."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from integration.studies import fake_search

from mbnas.bundle.card import Findings, card
from mbnas.bundle.eight_bits import Timed
from mbnas.bundle.trained import Accuracy, TrainedNetwork
from mbnas.measure.latency import Latency
from mbnas.search import Study


@pytest.fixture
def study(tmp_path: Path) -> Study:
    return fake_search(tmp_path / "study").run(1)


def row(study: Study, latency: Latency, name: str) -> str:
    """A row's value on the card of a network whose recorded latency is given."""
    trial = study.trial(0)
    network = TrainedNetwork(
        study=study,
        trial=trial,
        architecture=trial.architecture,
        weights={},
        origin="trial 0",
        accuracies={"validation": Accuracy(0.9, 0.9)},
        latency=latency,
        recipe=study.record.recipe,
        remark="None.",
    )
    text = card(network, Findings(0.9, 0.0, 10, Timed(latency), None, []))
    (line,) = (line for line in text.splitlines() if line.startswith(f"| {name} | "))
    return line.removeprefix(f"| {name} | ").removesuffix(" |")


def test_a_latency_recorded_elsewhere_is_not_said_to_be_of_the_searchs_host(study: Study) -> None:
    latency, host = study.trial(0).latency, study.record.host
    assert latency is not None
    here = replace(latency, host=host.fingerprint)
    assert row(study, here, "recorded on") == f"{host.cpu}, ONNX Runtime {host.onnxruntime}"
    elsewhere = replace(latency, host="elsewhere")
    said = row(study, elsewhere, "recorded on")
    assert said == "another host or ONNX Runtime than the search's"
