"""The study of what each choice brings: its pairs, and what is said of them."""

from __future__ import annotations

import importlib
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from helpers import ROOT

from mbnas.space import load_space


@pytest.fixture
def study(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(str(ROOT / "scripts"))
    return importlib.import_module("study_choices")


@pytest.fixture
def page(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(str(ROOT / "scripts"))
    return importlib.import_module("choices_page")


def test_a_pair_differs_in_one_field_and_in_every_stage_that_varies(study: Any) -> None:
    found = dict(study.drawn(load_space("cifar_mobile"), 3, study.SHORT))
    assert len(found) == 3 * (5 + 2 + 2)
    for (number, field, _), one in found.items():
        plain = found[number, "fusion", "none"]
        assert found[number, "block", "mbconv"] == found[number, "se_ratio", "0"] == plain
        for stage, other in zip(one.stages, plain.stages, strict=True):
            assert replace(stage, **{field: getattr(other, field)}) == other
    fused = found[0, "block", "fused_mbconv"]
    assert [stage.block for stage in fused.stages] == ["fused_mbconv"] * 4
    attentive = found[0, "fusion", "attention"]
    assert [stage.fusion.type for stage in attentive.stages] == ["none"] + ["attention"] * 3


def rows(page: Any, gain: float, slower: float) -> list[dict[str, Any]]:
    """Forty networks, on which an option brings what is said, and noise."""
    rng = np.random.default_rng(1)
    found = []
    for option, more, ratio in (("none", 0.0, 1.0), ("concat", gain, slower)):
        for network in range(40):
            latency = 0.1 * 1.1**network
            accuracy = 0.5 + 0.02 * np.log(latency) + more + rng.normal(0, 0.002)
            found.append(
                {
                    "network": network,
                    "field": "fusion",
                    "option": option,
                    "accuracies": [accuracy] * 3,
                    "latencies_ms": [latency * ratio] * 3,
                    "noisy": 0,
                    "params": 100,
                }
            )
    return found


@pytest.mark.parametrize(
    ("gain", "slower", "words"),
    [
        (0.02, 1.1, "more accurate by 2.0 points, 10% slower; worth more than"),
        (0.0, 1.5, "no certain difference in accuracy, 50% slower; worth less than"),
        (-0.03, 0.9, "less accurate by 3.0 points, 10% faster; worth less than"),
        (0.0, 1.0, "no certain difference in accuracy, no certain difference in latency; no cert"),
    ],
)
def test_what_an_option_brings_is_found_again(
    gain: float, slower: float, words: str, page: Any
) -> None:
    ((one,),) = page.effects(rows(page, gain, slower)).values()
    value, low, high = one.points
    assert low <= 100 * gain + 0.1
    assert high >= 100 * gain - 0.1
    assert value == pytest.approx(100 * gain, abs=0.15)
    assert one.slower[0] == pytest.approx(slower - 1, abs=1e-9)
    assert words in page.said(one)
