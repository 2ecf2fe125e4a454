"""What each choice brings, said and drawn: paired differences with their intervals."""

from __future__ import annotations

import json
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray
from plotly.subplots import make_subplots

ROOT = Path(__file__).resolve().parent.parent
DRAWS = 10_000
ENDS = (0.025, 0.975)
Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Effect:
    """Of an option, against the first one of its field, over all networks.

    Attributes:
        option: Its name.
        against: What it is held against.
        points: Difference of accuracy in percentage points, with its 95 % interval.
        slower: Ratio of the latencies less 1, with its interval.
        milliseconds: Difference of the latencies.
        beyond: Points beyond what networks of this space are worth that take as much longer.
        better: Networks that are more accurate with it.
        networks: All of them.
        params: Ratio of the parameters less 1.
    """

    option: str
    against: str
    points: tuple[float, float, float]
    slower: tuple[float, float, float]
    milliseconds: tuple[float, float, float]
    beyond: tuple[float, float, float]
    better: int
    networks: int
    params: float


def write_page(folder: Path) -> None:
    """README.md and choices.png, from choices.json in the folder."""
    results = json.loads((folder / "choices.json").read_text())
    every = effects(results["rows"])
    draw(every, folder / "choices.png")
    (folder / "README.md").write_text(page(results, every))


def effects(rows: list[dict[str, Any]]) -> dict[str, list[Effect]]:
    """By field, of every option but the first."""
    fields = list(dict.fromkeys(row["field"] for row in rows))
    plain = [row for row in rows if row["field"] == fields[0] and row["option"] == first(rows)]
    slope = np.polyfit(np.log([latency(row) for row in plain]), [accuracy(r) for r in plain], 1)[0]
    found = {}
    for field in fields:
        own = [row for row in rows if row["field"] == field]
        options = list(dict.fromkeys(row["option"] for row in own))
        of = {name: [row for row in own if row["option"] == name] for name in options}
        found[field] = [effect(of[name], of[options[0]], float(slope)) for name in options[1:]]
    return found


def first(rows: list[dict[str, Any]]) -> str:
    return str(rows[0]["option"])


def accuracy(row: dict[str, Any]) -> float:
    return 100 * float(np.mean(row["accuracies"]))


def latency(row: dict[str, Any]) -> float:
    return float(np.median(row["latencies_ms"]))


def effect(having: list[dict[str, Any]], plain: list[dict[str, Any]], slope: float) -> Effect:
    """The option's effect; intervals by drawing the networks anew (bootstrap)."""
    points = np.array([accuracy(one) - accuracy(other) for one, other in zip_(having, plain)])
    ratio = np.array([np.log(latency(one) / latency(other)) for one, other in zip_(having, plain)])
    ms = np.array([latency(one) - latency(other) for one, other in zip_(having, plain)])
    params = [one["params"] / other["params"] - 1 for one, other in zip_(having, plain)]
    return Effect(
        option=having[0]["option"],
        against=plain[0]["option"],
        points=interval(points),
        slower=tuple(float(np.expm1(value)) for value in interval(ratio)),  # type: ignore[arg-type]
        milliseconds=interval(ms),
        beyond=interval(points - slope * ratio),
        better=int((points > 0).sum()),
        networks=len(points),
        params=float(np.median(params)),
    )


def zip_(
    having: list[dict[str, Any]], plain: list[dict[str, Any]]
) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    """The same network with and without."""
    of = {row["network"]: row for row in plain}
    return [(row, of[row["network"]]) for row in having]


def interval(differences: Floats) -> tuple[float, float, float]:
    """Mean, and its 95 % interval over networks drawn anew."""
    rng = np.random.default_rng(0)
    chosen = rng.integers(len(differences), size=(DRAWS, len(differences)))
    low, high = np.quantile(differences[chosen].mean(axis=1), ENDS)
    return float(differences.mean()), float(low), float(high)


def page(results: dict[str, Any], every: dict[str, list[Effect]]) -> str:
    form, machine, images = results["form"], results["machine"], results["images"]
    networks = len({row["network"] for row in results["rows"]})
    noisy = sum(row["noisy"] for row in results["rows"])
    timed = sum(len(row["latencies_ms"]) for row in results["rows"])
    widths = form["width_multiplier"]
    narrowed = "" if widths is None else f", widths times {widths:g}"
    lines = [
        "# What each choice brings",
        "",
        f"{networks} networks drawn from `{results['space']}`, MBConv without fusion or"
        " squeeze-and-excitation; then each of them with one field changed, in every stage that may"
        f" have it. {results['seeds']} seeds each, the same for all; {form['epochs']} epochs,"
        f" {images['train']:,} images to train on and {images['validation']:,} to compare by, of"
        f" CIFAR-10, at {form['resolution']} pixels"
        f"{narrowed}."
        f" Timed in {len(results['rows'][0]['latencies_ms'])} rounds on {machine['cpu']}, ONNX"
        f" Runtime {machine['onnxruntime']}, one thread; {noisy} of {timed} timings were noisy."
        " Made again by",
        "",
        "```sh",
        results["command"],
        "```",
        "",
        "![Differences with their intervals](choices.png)",
    ]
    for field, found in every.items():
        lines += [
            "",
            f"## {field}, against `{found[0].against}`",
            "",
            "| option | accuracy, points | latency | ms | more accurate | parameters | points"
            " beyond what its time buys |",
            "|---|---|---|---|---|---|---|",
            *(row(one) for one in found),
            "",
            *(f"- {said(one)}" for one in found),
        ]
    lines += [
        "",
        "Intervals are of 95 %, over networks drawn anew. The last column takes off what a network"
        " of this space is more accurate, on average, that takes as much longer (a line through the"
        " plain networks, accuracy against the logarithm of latency): a choice that costs time must"
        " be worth more than simply a larger network. With this few epochs, it is what a search"
        " sees; longer trainings may tell otherwise.",
        "",
    ]
    return "\n".join(lines)


def row(one: Effect) -> str:
    return (
        f"| `{one.option}` | {three(one.points, '+.2f')} | {three(one.slower, '+.0%')}"
        f" | {three(one.milliseconds, '+.3f')} | {one.better} of {one.networks}"
        f" | {one.params:+.0%} | {three(one.beyond, '+.2f')} |"
    )


def three(values: tuple[float, float, float], form: str) -> str:
    value, low, high = (format(part, form) for part in values)
    return f"{value} ({low} to {high})"


def said(one: Effect) -> str:
    """In words, and no more than the intervals allow."""
    gain, price = one.points[0], one.slower[0]
    accuracy = by_sign(
        one.points,
        f"more accurate by {gain:.1f} points",
        f"less accurate by {-gain:.1f} points",
        "no certain difference in accuracy",
    )
    latency = by_sign(
        one.slower,
        f"{price:.0%} slower",
        f"{-price:.0%} faster",
        "no certain difference in latency",
    )
    worth = by_sign(
        one.beyond,
        "worth more than a larger network of its latency",
        "worth less than a larger network of its latency",
        "no certain difference from a larger network of its latency",
    )
    return f"`{one.option}`: {accuracy}, {latency}; {worth}."


def by_sign(values: tuple[float, float, float], above: str, below: str, neither: str) -> str:
    """By the side of 0 on which the whole interval lies."""
    _, low, high = values
    return above if low > 0 else below if high < 0 else neither


def draw(every: dict[str, list[Effect]], out: Path) -> None:
    """Both differences of every option, with their intervals."""
    titles = ("accuracy, percentage points", "latency, %")
    figure = make_subplots(rows=1, cols=2, shared_yaxes=True, subplot_titles=titles)
    names = [f"{field}: {one.option}" for field, found in every.items() for one in found]
    flat = [one for found in every.values() for one in found]
    for column, values in enumerate(
        ([one.points for one in flat], [tuple(100 * v for v in one.slower) for one in flat]), 1
    ):
        middle = [value for value, *_ in values]
        figure.add_trace(
            go.Scatter(
                x=middle,
                y=names,
                mode="markers",
                marker={"size": 11, "color": "#0072b2"},
                error_x={
                    "array": [high - value for value, _, high in values],
                    "arrayminus": [value - low for value, low, _ in values],
                    "thickness": 2,
                },
            ),
            row=1,
            col=column,
        )
    figure.update_yaxes(autorange="reversed", tickfont={"size": 14})
    figure.update_xaxes(rangemode="tozero", zeroline=True, zerolinecolor="#888", zerolinewidth=2)
    figure.update_layout(template="simple_white", showlegend=False, width=1080, height=420)
    with tempfile.TemporaryDirectory() as folder:
        html = Path(folder) / "choices.html"
        figure.write_html(html, config={"displayModeBar": False})
        subprocess.run([ROOT / "scripts" / "picture", html, out, "1100,440"], check=True)
