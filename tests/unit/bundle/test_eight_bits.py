"""When a network in 8 bits is worth having, and what is said of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from unit.bundle.file_meter import FakeFileMeter

from mbnas.bundle import eight_bits
from mbnas.bundle.eight_bits import EightBits, Timed, timed_with_eight_bits


def timed(
    monkeypatch: pytest.MonkeyPatch, *latencies_ms: float, labels: Sequence[int] = (0, 1, 1, 1)
) -> Timed:
    """A file that says 0, 1, 1, 0 of four images, beside one in 8 bits that says 0, 1, 0, 1."""
    said = {b"32": np.array([0, 1, 1, 0]), b"8": np.array([0, 1, 0, 1])}
    monkeypatch.setattr(eight_bits, "quantised", lambda *_: b"8")
    meter = FakeFileMeter(*latencies_ms)
    return timed_with_eight_bits(b"32", [], said.__getitem__, np.array(labels), 0, meter)


def made(found: Timed) -> EightBits:
    assert found.int8 is not None
    return found.int8


def test_as_accurate_is_not_the_same_labels(monkeypatch: pytest.MonkeyPatch) -> None:
    found = timed(monkeypatch, 1.0, 0.5)
    assert found.left_out is None
    assert made(found).figures == (
        "2.00 times as fast (0.500 ms), validation accuracy 0.7500, 0.0000 lower,"
        " same label on 2 of 4 images"
    )


def test_a_gain_within_the_intervals_is_called_noise(monkeypatch: pytest.MonkeyPatch) -> None:
    found = timed(monkeypatch, 1.05, 1.0)
    assert found.left_out is None
    assert made(found).figures.startswith("1.05 times as fast, within the noise (1.000 ms), ")
    found = timed(monkeypatch, 1.0, 1.05)
    assert str(found.left_out).startswith("no faster than 32 bits here: 0.95 times as fast, within")


@pytest.mark.parametrize("which", ["latency", "other"])
def test_a_noisy_timing_of_either_is_marked(monkeypatch: pytest.MonkeyPatch, which: str) -> None:
    found = made(timed(monkeypatch, 1.0, 0.5))
    changed: dict[str, Any] = {which: replace(getattr(found, which), noisy=True)}
    noisy = replace(found, **changed)
    assert noisy.figures.startswith("2.00 times as fast (0.500 ms, noisy), ")


def test_a_drop_of_just_what_may_be_lost_is_none_too_much(monkeypatch: pytest.MonkeyPatch) -> None:
    found = made(timed(monkeypatch, 1.0, 0.5))
    just = replace(found, drop=0.98 - 0.97)
    assert just.drop > 0.01
    assert just.objection(0.01) is None
    one_image_more = replace(found, drop=0.98 - 0.97 + 1e-6)
    assert str(one_image_more.objection(0.01)).startswith("more than 0.01 of accuracy lost: 2.00")
