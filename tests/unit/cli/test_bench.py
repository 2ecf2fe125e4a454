"""What mbnas bench prints of what it has timed."""

from __future__ import annotations

import pytest

from mbnas.cli.bench import _print_profile
from mbnas.measure.networks import NamedNetwork
from mbnas.measure.profile import OperatorTime


def test_operators_that_take_no_microsecond_have_no_share(
    capsys: pytest.CaptureFixture[str],
) -> None:
    operators = [OperatorTime(name, "Identity", "head", 0.0) for name in ("one", "other")]
    _print_profile(NamedNetwork("quick", b"", None), operators, None)
    said = capsys.readouterr().out
    assert "the costliest 2 of 2 operators" in said
    assert "0%" in said


def test_a_row_is_a_line_however_long(capsys: pytest.CaptureFixture[str]) -> None:
    name = "stage1.block1." * 20
    network = NamedNetwork("deep", b"", None)
    _print_profile(network, [OperatorTime(name, "Conv", "stage1", 1.25)], None)
    (row,) = (line for line in capsys.readouterr().out.splitlines() if "stage1.block1" in line)
    assert row.split() == [name, "Conv", "1.250", "100%"]
