"""How long a study's figures and its report take, by the number of trials.

A figure's time is that of making it and of writing it as JSON, on a study that was just opened: as
a live page pays it after every new trial. Seconds are by the clock; cpu_seconds leave out what else
the machine had to do.
"""

from __future__ import annotations

import argparse
import json
import random
import resource
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import mbnas
from mbnas.measure.host import this_host
from mbnas.network import costs
from mbnas.report import (
    Axes,
    choices_figure,
    curves_figure,
    front_figure,
    hypervolume_figure,
    importance_figure,
    parallel_figure,
    time_figure,
    write_report,
)
from mbnas.report.figures.importance import _analysed
from mbnas.report.page import page
from mbnas.search import Limit, Study, Trial
from mbnas.space import SearchSpace
from mbnas.testing import FakeLatencyMeter, FakeTrainer
from mbnas.training.trainer import Assignment

EPOCHS = 10
REPEATS = 3
SECONDS_PER_EPOCH = 2.0
FATES = ("trained", "trained", "trained", "stopped", "stopped", "untrained", "failed", "reused")
FIGURES: dict[str, Callable[[Study], Any]] = {
    "front": front_figure,
    "front, params by macs": partial(front_figure, axes=Axes("params", "macs")),
    "hypervolume": hypervolume_figure,
    "hypervolume, hours": partial(hypervolume_figure, over="training_hours"),
    "choices": choices_figure,
    "importance": importance_figure,
    "parallel": parallel_figure,
    "time": time_figure,
    "curves": curves_figure,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--space", default="digits_tiny")
    parser.add_argument("--trials", type=int, nargs="+", default=[1_000, 10_000, 50_000])
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        opened = begun(arguments.space, Path(folder))
        trials, rng = opened.trials, random.Random(0)
        rows = []
        for count in sorted(arguments.trials):
            start = time.perf_counter()
            while len(trials) < count:
                trials.append(fake_trial(opened.space, len(trials), rng))
            print(f"{count:,} trials, made in {time.perf_counter() - start:.0f} s", flush=True)
            rows.append(measured(opened, trials[:count], Path(folder)))
    if arguments.out:
        host = this_host(1)
        content = {
            "cpu": host.cpu,
            "cores": host.cores,
            "space": opened.space.name,
            "repeats": REPEATS,
            "rows": rows,
        }
        arguments.out.write_text(json.dumps(content, indent=1) + "\n")


def begun(space: str, folder: Path) -> Study:
    """A study of one trial, for its record."""
    search = mbnas.Search(
        mbnas.load_space(space),
        mbnas.load_data("digits"),
        study=folder / "study",
        trainer=FakeTrainer(EPOCHS),
        meter=FakeLatencyMeter(),
        limits=[Limit("params", 10_000_000)],
    )
    return search.run(trials=1)


def fake_trial(space: SearchSpace, number: int, rng: random.Random) -> Trial:
    """A trial of a random network; how it ended follows from its number."""
    params = space.sample(rng)
    architecture = space.architecture(params)
    fate = FATES[number % len(FATES)]
    (latency,) = FakeLatencyMeter().measure([architecture], 10)
    training = FakeTrainer(EPOCHS).train(Assignment(architecture, 0), lambda _: None)
    epochs = {"trained": EPOCHS, "stopped": EPOCHS // 3}.get(fate, 0)
    trial = Trial(
        number=number,
        params=params,
        architecture=architecture,
        status=fate,
        costs=costs(architecture.lower(10)),
        latency=latency,
        curve=training.curve[:epochs],
        training_seconds=SECONDS_PER_EPOCH * epochs,
        latency_seconds=0.8,
    )
    match fate:
        case "trained":
            return replace(trial, accuracy=training.accuracy)
        case "reused":
            return replace(trial, accuracy=training.accuracy, reused_from=0, latency_seconds=0.0)
        case "stopped":
            return replace(trial, reason="cannot reach the front", expected_accuracy=0.5)
        case "failed":
            return replace(trial, reason="NonFiniteLossError: the loss is nan at epoch 2, step 13")
    return replace(trial, latency=None, reason="even an optimistic accuracy cannot reach the front")


def measured(opened: Study, trials: list[Trial], folder: Path) -> dict[str, Any]:
    """Seconds and megabytes of everything."""
    figures = {name: figure_row(draw, opened, trials) for name, draw in FIGURES.items()}
    study, path = fresh(opened, trials), folder / "report.html"
    start = now()
    text = page(study)
    html = since(start)
    start = now()
    write_report(fresh(opened, trials), path)
    written = since(start)
    figures["report.html"] = row(html, len(text.encode()))
    figures["report and tables"] = row(written, path.stat().st_size)
    for name, each in figures.items():
        said = f"{each['seconds']:7.3f} s {each['cpu_seconds']:7.3f} s CPU"
        print(f"  {name:22} {said} {each['megabytes']:7.2f} MB", flush=True)
    return {
        "trials": len(trials),
        "on_the_front": len(study.front),
        "figures": figures,
        "peak_memory_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


def figure_row(
    draw: Callable[[Study], Any], opened: Study, trials: list[Trial]
) -> dict[str, float]:
    spent, text = [], ""
    for _ in range(REPEATS):
        study = fresh(opened, trials)
        start = now()
        text = draw(study).to_json()
        spent.append(since(start))
    return row((median(clock for clock, _ in spent), median(cpu for _, cpu in spent)), len(text))


def row(spent: tuple[float, float], size: int) -> dict[str, float]:
    return {"seconds": spent[0], "cpu_seconds": spent[1], "megabytes": size / 1e6}


def now() -> tuple[float, float]:
    """By the clock, and of this process."""
    return time.perf_counter(), time.process_time()


def since(start: tuple[float, float]) -> tuple[float, float]:
    """Seconds since then, by both."""
    clock, cpu = now()
    return clock - start[0], cpu - start[1]


def fresh(opened: Study, trials: list[Trial]) -> Study:
    """The study as if just opened: nothing is remembered of it."""
    _analysed.cache_clear()
    return Study(opened.folder, opened.record, opened.space, trials)


if __name__ == "__main__":
    main()
