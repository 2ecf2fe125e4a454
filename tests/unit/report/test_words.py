from __future__ import annotations

import pytest

from mbnas.report import words
from mbnas.search import Limit


@pytest.mark.parametrize(
    ("value", "said"),
    [(0, "0"), (950, "950"), (1_234, "1.23 k"), (59_960, "60.0 k"), (999_999, "1.00 M"),
     (4_560_000, "4.56 M"), (123e9, "123 G")],
)  # fmt: skip
def test_counts(value: float, said: str) -> None:
    assert words.count(value).replace(words.SPACE, " ") == said


@pytest.mark.parametrize(
    ("quantity", "value", "said"),
    [
        ("accuracy", 0.9743, "97.43%"),
        ("latency_ms", 0.2134, "0.213 ms"),
        ("latency_ms", 12.0, "12.0 ms"),
        ("latency_ms", 99.96, "100 ms"),
        ("latency_ms", 1234.5, "1,234 ms"),
        ("size_bytes", 52_130, "52.1 kB"),
        ("size_bytes", 512, "512 B"),
        ("resolution", 24, "24 px"),
        ("macs", 1_070_000, "1.07 M MACs"),
        ("params", None, "–"),
    ],
)
def test_amounts(quantity: str, value: float | None, said: str) -> None:
    assert words.amount(quantity, value).replace(words.SPACE, " ") == said


@pytest.mark.parametrize(
    ("limit", "said"),
    [
        (Limit("latency_ms", 2), "latency ≤ 2 ms"),
        (Limit("params", 60_000), "parameters ≤ 60,000"),
        (Limit("size_bytes", 1_500_000), "size ≤ 1,500,000 bytes"),
    ],
)
def test_limits(limit: Limit, said: str) -> None:
    assert words.limit(limit).replace(words.SPACE, " ") == said
