"""The figures of every measuring script, from what it left in studies/published."""

from __future__ import annotations

import csv
import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from choices_page import effects, three

from mbnas.analysis.versus import mean_gain, shared_costs

STILL_LEARNING = 0.01
"""Accuracy won in the last fifth of the epochs, from which on more epochs would change much."""
OURS = "mbnas: undisturbed bursts, scaled by the reference"
USUAL = "median of 50 runs (the usual way)"


@dataclass(frozen=True, slots=True)
class Row:
    """One figure.

    Attributes:
        what: What was measured.
        figure: What mbnas came to.
        beside: The other side of the comparison, or what was to be reached.
        headline: Whether it stands in the README.
    """

    what: str
    figure: str
    beside: str
    headline: bool = False


def confirmed(folder: Path) -> tuple[str, list[Row]]:
    read = results(folder / "confirmed.json")
    versus = read["versus"]
    rows = []
    for one in versus["against"]:
        name, ratio = one["baseline"]["name"], one["ratio"]
        margin = one["margin"]
        faster = (
            f"{ratio['value']:.2f} times as fast ({ends(ratio, 1, '.2f')}),"
            f" {round(100 * margin['value'], 1) + 0.0:+.1f} points ({ends(margin, 100, '.1f')})"
        )
        if not one["is_reached"]:
            faster += "; on the validation part it was less accurate"
        gain = one["gain"]
        better = "nothing is as fast"
        if gain is not None:
            better = f"{100 * gain['value']:+.1f} points ({ends(gain, 100, '.1f')}) at its latency"
        own = next(n for n in read["networks"] if n["name"] == name)
        if own["last_fifth"] >= STILL_LEARNING:
            gained = f"{100 * own['last_fifth']:.1f} ± {100 * own['last_fifth_error']:.1f}"
            better += f"; {name} still gained {gained} in its last fifth of epochs"
        what = f"front of CIFAR-10 at the accuracy of {name}, trained alike"
        rows.append(Row(what, faster, better, headline=True))
    front = [(one["accuracy"], one["cost"]) for one in versus["front"]]
    theirs = [one["baseline"] for one in versus["against"]]
    baselines = [(one["accuracy"], one["cost"]) for one in theirs]
    least, most = shared_costs(front, baselines)
    rows.append(
        Row(
            f"its accuracy at equal latency, on average from {least:.3g} to {most:.3g} ms",
            f"{100 * mean_gain(front, baselines):+.1f} points",
            "the most accurate baseline at each latency",
        )
    )
    difference, area = versus["difference"], versus["baselines_hypervolume"]
    rows.append(
        Row(
            f"its hypervolume, up to {versus['reference'][1]:.3g} ms, over that of the baselines'"
            " front",
            f"{difference['value'] / area:+.1%} ({ends(difference, 1 / area, '+.1%')})",
            f"{len(read['seeds'])} seeds each, test images that nothing had seen; a nearer"
            " reference makes more of it, and so does a front that begins below any baseline",
        )
    )
    return read["machine"], rows


def ends(interval: dict[str, float], times: float, form: str) -> str:
    return f"95 %: {interval['low'] * times:{form}} to {interval['high'] * times:{form}}"


def choices(folder: Path) -> tuple[str, list[Row]]:
    read = results(folder / "choices.json")
    rows = [
        Row(
            f"`{one.option}` in place of `{one.against}`, {one.networks} pairs",
            f"{three(one.points, '+.2f')} points of accuracy",
            f"{three(one.slower, '+.0%')} latency; {three(one.beyond, '+.2f')} points beyond what"
            " that time buys",
        )
        for found in effects(read["rows"]).values()
        for one in found
    ]
    return machine_of(read["machine"]), rows


def latency(folder: Path) -> tuple[str, list[Row]]:
    read = results(folder / "results.json")
    host = read["host"]
    machine = f"{host['cpu']}, {host['cores']} cores, ONNX Runtime {host['onnxruntime']}"
    words = {
        "quiet": "two processes, quiet machine",
        "other core": "two processes, load on another core",
        "same core": "two processes, load on the same core",
    }
    rows = []
    for load, said in words.items():
        estimators = read["repeat"][load]["estimators"]
        ours, usual = (estimators[name] for name in (OURS, USUAL))
        rivals = {name: one for name, one in estimators.items() if name not in (OURS, USUAL)}
        rival = min(rivals, key=lambda name: rivals[name]["p95"])
        rows.append(
            Row(
                f"latency of one network in {said}: 95 % quantile of the difference",
                f"{percent(ours['p95'])}, order τ {ours['tau']:.2f}",
                f"median of 50 runs: {percent(usual['p95'])}, τ {usual['tau']:.2f}; the best rival"
                f" with as many runs, {rival}: {percent(rivals[rival]['p95'])}, τ"
                f" {rivals[rival]['tau']:.2f}",
                headline=load != "other core",
            )
        )
    overlaps = (percent(read["repeat"][load]["intervals_overlap"], 0) for load in words)
    rows.append(
        Row(
            "95 % intervals of one network's two latencies overlap",
            ", ".join(overlaps),
            f"{', '.join(words)}; independent 95 % intervals of one value would in about 99 %",
        )
    )
    predicted = read["predict"]
    rows.append(
        Row(
            "latency predicted, after `mbnas calibrate`"
            f" ({predicted['calibration_seconds']:.0f} s)",
            f"mean error {percent(predicted['mean_error'])}, {percent(predicted['within_10'], 0)}"
            " within 10 %",
            f"two measurements differ by {percent(predicted['two_measurements_differ_mean'])}",
            headline=True,
        )
    )
    return machine, rows


def training(folder: Path) -> tuple[str, list[Row]]:
    read = results(folder / "results.json")
    rows = [
        Row(
            f"training step on a CPU in {read['precision']}, {size} network"
            f" ({read[size + ' network']['macs'] / 1e6:.0f} M MACs)",
            spread(read[size + " network"]["over the stock loop"]) + " times as fast",
            "a stock PyTorch loop in float32",
            headline=True,
        )
        for size in ("small", "middling", "large")
    ]
    packing = read["packing"]
    rows.append(
        Row(
            "candidates an hour, two at once",
            span(packing["candidates an hour, pack 2"]),
            f"one at a time {span(packing['candidates an hour, pack 1'])};"
            f" stock loop {packing['candidates an hour, stock loop']}",
        )
    )
    return read["machine"], rows


def training_on_gpu(folder: Path) -> tuple[str, list[Row]]:
    read = results(folder / "results.json")
    rows = []
    for size in ("small", "middling", "large"):
        found = read[size + " network"]
        rows.append(
            Row(
                f"training step on a GPU, {size} network ({found['macs'] / 1e6:.0f} M MACs)",
                spread(found["over the stock loop"]) + " times as fast",
                "a stock PyTorch loop with eight loading processes;"
                f" {percent(found['of the bare loop']['median'], 0)} of a bare loop by"
                f" torch's layers; computed by {read['layers']}",
                headline=size == "middling",
            )
        )
    rates = {
        key.removeprefix("candidates an hour, "): value
        for key, value in read["packing"].items()
        if key.startswith("candidates an hour, ") and not isinstance(value, str)
    }
    alone, stock = rates.pop("one at a time"), rates.pop("stock loop")
    slower = "" if "stock evaluation" in read else ", which evaluated without loading processes"
    rows += [
        Row(
            f"candidates an hour on a GPU, {way}",
            f"{rate}, {rate / stock:.1f} times the stock loop's",
            f"stock loop {stock}{slower}, to reach: 10 times; one at a time {alone}, of which this"
            f" is {rate / alone:.1f} times, to reach: 4",
        )
        for way, rate in rates.items()
    ]
    return read["machine"], rows


def sampler(folder: Path) -> tuple[str, list[Row]]:
    ask = results(folder / "ask.json")
    needed = {
        (row["sampler"], row["share"]): row["median"] or "over 500"
        for row in rows_of(folder / "all" / "needed.csv")
    }
    four = {row["share"]: row["median"] for row in rows_of(folder / "four" / "needed.csv")}
    needed |= {
        (row["sampler"], row["share"]): row["median"] or "over 120"
        for row in rows_of(folder / "gp" / "needed.csv")
        if row["sampler"] == "gp"
    }
    others = ("local", "gp", "tpe", "nsga2", "random")
    rows = [
        Row(
            f"trainings to {percent(float(share), 0)} of the best hypervolume of NAS-Bench-Macro",
            needed["known_cost", share],
            ", ".join(f"{name} {needed[name, share]}" for name in others),
            headline=share == "0.98",
        )
        for share in ("0.95", "0.98", "0.99")
    ]
    rows += [
        Row(
            f"trainings to {percent(float(share), 0)}, four evaluated at once",
            value,
            f"one at a time {needed['known_cost', share]}",
        )
        for share, value in four.items()
    ]
    rows += [
        Row(
            f"seconds for a proposal after {row['finished']} trials",
            f"{row['ask_seconds_median']:.2f}",
            f"at most {row['ask_seconds_most']:.2f}; a space of {ask['points']:.0e} points",
        )
        for row in ask["rows"]
    ]
    return machine_of(ask), rows


def stopping(folder: Path) -> tuple[str, list[Row]]:
    read = results(folder / "stopping-known_cost.json")
    stopped, ended = read["summary"]["stopped"], read["summary"]["ended"]
    row = Row(
        "stopping hopeless trainings of two objectives (digits)",
        f"{percent(stopped['epochs_ratio'], 0)} of the epochs,"
        f" {percent(stopped['hypervolume_ratio'])} of the hypervolume",
        f"ended after as many epochs, nothing stopped: {percent(ended['hypervolume_ratio'])}; least"
        f" of {stopped['searches']} searches {percent(stopped['hypervolume_ratio_least'])} and"
        f" {percent(ended['hypervolume_ratio_least'])}",
    )
    return machine_of(read), [row]


def survival(folder: Path) -> tuple[str, list[Row]]:
    parts = ("driver", "workers", "ray", "postgresql", "disk", "throughput", "overhead")
    read = {part: results(folder / f"{part}.json") for part in parts}
    figures = {key: value for part in read.values() for key, value in part["figures"].items()}
    kills = sum(figures[key]["kills"] for key in ("driver_fakes", "driver_real"))
    faults = sum(sum(figures[key]["faults"].values()) for key in ("driver_fakes", "driver_real"))
    kinds = results(folder / "fuzz.json")["kinds"].values()
    bad = Counter[str]()
    for kind in kinds:
        bad.update({name: kind[name] for name in ("cases", "fault", "hang", "crash")})
    rows = [
        Row(
            "searches killed with `kill -9` at random moments",
            f"{kills} kills, {faults} trials lost, done twice or different",
            "an unbroken search",
            headline=True,
        ),
        Row(
            "trials a second through the driver, 8 workers, SQLite",
            f"{figures['throughput']['per_second']:.0f}",
            "to reach: 20",
        ),
        Row(
            "overhead beside trials of 10 s: local, workers, Ray",
            ", ".join(
                percent(figures[f"overhead_{engine}"]["share"])
                for engine in ("local", "workers", "ray")
            ),
            "to reach: 5 %",
        ),
        Row(
            "bad input of every kind: files, images, requests, commands",
            f"{bad['cases']:,} cases, {bad['fault'] + bad['hang'] + bad['crash']} that were not"
            " answered in a line",
            "to reach: 0",
            headline=True,
        ),
    ]
    return machine_of(read["driver"]), rows


def dashboard(folder: Path) -> tuple[str, list[Row]]:
    read = results(folder / "dashboard.json")
    rows = [
        Row(
            f"a study of {one['trials']:,} trials: the front in the browser",
            f"{one['plot_seconds']:.1f} s",
            f"a click {one['click_server_seconds']:.2f} s, what is new"
            f" {one['refresh_server_seconds']:.2f} s of the server",
            headline=one["trials"] == 10_000,
        )
        for one in read["rows"]
    ]
    return machine_of(read), rows


def bundles(folder: Path) -> tuple[str, list[Row]]:
    read = results(folder / "bundles.json")
    every = read["bundles"]
    eight = [one["int8"] for one in every if one["int8"]]
    rows = [
        Row(
            f"exported file against the network, {len(every)} bundles, {read['images']:,} images",
            f"differs by {max(one['difference'] for one in every):.1e},"
            f" {sum(one['other_labels'] for one in every)} other labels",
            "to reach: 1e-4, 0",
            headline=True,
        ),
        Row(
            "in 8 bits, measured before it is written",
            f"{len(eight)} written, {len(every) - len(eight)} refused as slower",
            "",
        ),
    ]
    return f"{read['cpu']}, ONNX Runtime {read['onnxruntime']}", rows


def results(path: Path) -> Any:
    return json.loads(path.read_text())


def rows_of(path: Path) -> Iterator[dict[str, str]]:
    with path.open(newline="") as file:
        yield from csv.DictReader(file)


def machine_of(read: dict[str, Any]) -> str:
    return f"{read['cpu']}, {read['cores']} cores"


def percent(share: float, digits: int = 1) -> str:
    return f"{100 * share:.{digits}f} %"


def spread(ratio: dict[str, float]) -> str:
    return f"{ratio['median']:.2f} ({ratio['q10']:.2f}–{ratio['q90']:.2f})"


def span(values: int | list[int]) -> str:
    each = [values] if isinstance(values, int) else sorted(set(values))
    return "–".join(map(str, each))
