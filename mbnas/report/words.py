"""Quantities in words: labels, units and figures that a reader takes in at a glance."""

from __future__ import annotations

import html
import math
from dataclasses import dataclass

from mbnas.analysis.agreement import Agreement
from mbnas.search import Limit, Trial
from mbnas.search.objectives import QUALITIES

SPACE = "\u00a0"  # a figure and its unit stay on one line


@dataclass(frozen=True, slots=True)
class Quantity:
    """How a recorded quantity is spoken of.

    Attributes:
        noun: In a sentence.
        axis: On an axis, with its unit.
        unit: After a value; empty where the noun says it.
    """

    noun: str
    axis: str
    unit: str


QUANTITIES = {
    "accuracy": Quantity("accuracy", "validation accuracy", ""),
    "balanced_accuracy": Quantity("balanced accuracy", "balanced validation accuracy", ""),
    "latency_ms": Quantity("latency", "latency (ms)", "ms"),
    "p90_ms": Quantity("p90 latency", "p90 latency (ms)", "ms"),
    "params": Quantity("parameters", "parameters", "parameters"),
    "macs": Quantity("MACs", "multiply-accumulates (MACs)", "MACs"),
    "size_bytes": Quantity("size", "size (bytes)", "bytes"),
    "resolution": Quantity("resolution", "resolution (px)", "px"),
    "training_seconds": Quantity("training time", "training time (s)", "s"),
}


def escaped(text: object) -> str:
    """Text for HTML content and for Plotly's labels, which read a few tags too."""
    return html.escape(str(text), quote=False)


def percent(fraction: float | None) -> str:
    """An accuracy in [0, 1] as `97.43%`."""
    return "–" if fraction is None else f"{fraction:.2%}"


def digits(value: float) -> str:
    """Three significant digits, without an exponent."""
    if value == 0 or abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:#.3g}".rstrip(".")  # 99.96 is 100


def count(value: float) -> str:
    """A number as `950`, `12.3 k`, `4.56 M` or `7.89 G`."""
    for size, letter in ((1e12, ""), (1e9, "G"), (1e6, "M"), (1e3, "k")):
        if value >= 0.9995 * size:  # 999,999 is 1.00 M and not 1,000 k
            return f"{value:.2e}" if not letter else f"{digits(value / size)}{SPACE}{letter}"
    return f"{value:g}"


def size(value: float) -> str:
    """A number of bytes as `52.1 kB`."""
    figure, _, prefix = count(value).partition(SPACE)
    return f"{figure}{SPACE}{prefix}B"


def amount(quantity: str, value: float | None) -> str:
    """A value of a quantity with its unit."""
    if value is None:
        return "–"
    if quantity in QUALITIES:
        return percent(value)
    if quantity == "size_bytes":
        return size(value)
    if quantity == "resolution":
        return f"{value:g}{SPACE}px"
    figure = digits(value) if quantity.endswith(("_ms", "_seconds")) else count(value)
    return f"{figure}{SPACE}{QUANTITIES[quantity].unit}"


def limit(bound: Limit) -> str:
    """A limit as `latency ≤ 2 ms`, exactly as it was given."""
    quantity = QUANTITIES[bound.quantity]
    unit = "" if quantity.unit == quantity.noun else SPACE + quantity.unit
    return f"{quantity.noun} ≤{SPACE}{bound.most:,.10g}{unit}"


def span(seconds: float) -> str:
    """A length of time as `12.3 s`, `4.5 min` or `1.23 h`."""
    for size, unit in ((3600.0, "h"), (60.0, "min")):
        if seconds >= 2 * size:
            return f"{digits(seconds / size)}{SPACE}{unit}"
    return f"{digits(seconds)}{SPACE}s"


def interval(trial: Trial) -> str:
    """The latency's 95 % interval as `0.210–0.216`."""
    if trial.latency is None:
        return "–"
    return f"{digits(trial.latency.low_ms)}–{digits(trial.latency.high_ms)}"


def tau(value: float, places: int = 2) -> str:
    """Kendall's τ as `0.52`; a dash where there is nothing to order."""
    return "–" if math.isnan(value) else f"{value:.{places}f}"


def tau_interval(found: Agreement) -> str:
    """Its 95 % interval as `0.41–0.60`; a dash where there is none."""
    return "–" if math.isnan(found.low) else f"{found.low:.2f}–{found.high:.2f}"


def plural(number: int, noun: str, many: str | None = None) -> str:
    """`1 network`, `2 networks`."""
    return f"{number:,} {noun if number == 1 else many or noun + 's'}"
