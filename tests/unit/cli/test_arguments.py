"""What the command line says without loading the rooms is what the rooms have."""

from __future__ import annotations

import argparse
from typing import Any

import pytest

from mbnas.analysis import audit_record, auditing, confirm, contenders, retarget
from mbnas.cli import VERBS, _parser, steer
from mbnas.measure import calibration, latency
from mbnas.search import DEFAULT_SAMPLER, SAMPLERS


def parsed(*words: str) -> argparse.Namespace:
    return _parser(words).parse_args(words)


def help_of(verb: str, capsys: pytest.CaptureFixture[str]) -> str:
    with pytest.raises(SystemExit):
        parsed(verb, "--help")
    return " ".join(capsys.readouterr().out.split())


SEARCH = ("search", "digits_tiny", "--data", "digits")
AUDIT = ("audit", "digits_tiny", "--data", "digits")


@pytest.mark.parametrize(
    ("words", "name", "value"),
    [
        (SEARCH, "sampler", DEFAULT_SAMPLER),
        (AUDIT, "networks", audit_record.NETWORKS),
        (AUDIT, "twice", audit_record.TWICE),
        (("bench", "mobilenet_v2"), "seconds", latency.SECONDS),
        (("calibrate", "digits_tiny"), "seconds", calibration.SECONDS),
        (("retarget", "some"), "seconds", latency.SECONDS),
        (("retarget", "some"), "reach", retarget.REACH),
        (("confirm", "some"), "seeds", confirm.SEEDS),
        (("confirm", "some"), "near", confirm.NEAR),
    ],
)
def test_a_default_is_its_rooms_and_the_help_says_it(
    words: tuple[str, ...], name: str, value: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    assert getattr(parsed(*words), name) == value
    shown = f"{value:g}" if isinstance(value, float) else value
    assert f"(default {shown}" in help_of(words[0], capsys)


def test_other_numbers_and_names_of_the_help_are_the_rooms(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert ", ".join(SAMPLERS) in help_of("search", capsys)
    assert f"default {confirm.FULL} times the search's" in (said := help_of("confirm", capsys))
    assert f"it is the search's own, {confirm.FULL} times as long" in said
    assert f"front, {confirm.NEAR} networks near it" in said
    assert auditing.FULL == 6
    assert "default six times a search's" in help_of("audit", capsys)
    assert f"Without any: {', '.join(contenders.USUAL)}" in help_of("baselines", capsys)
    assert f"its latency ({retarget.REACH} by default)" in help_of("retarget", capsys)


@pytest.mark.parametrize("wish", steer._WILL)
def test_what_a_search_can_be_told_is_what_the_verb_does(wish: str) -> None:
    assert parsed("steer", "some", wish).wish == wish


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_has_an_example(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert f"mbnas {verb} " in help_of(verb, capsys).partition("example")[2]
