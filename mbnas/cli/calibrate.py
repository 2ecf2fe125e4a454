"""mbnas calibrate: learn to predict a space's latencies on this machine."""

from __future__ import annotations

import argparse
import time

from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

import mbnas
from mbnas.cli.words import waiting_for_cores
from mbnas.measure.calibration import calibrate, calibration_path


def run(arguments: argparse.Namespace) -> int:
    """Runs the verb."""
    space = mbnas.load_space(arguments.file)
    meter = mbnas.OrtLatencyMeter(arguments.threads, on_wait=waiting_for_cores)
    start = time.perf_counter()
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.fields[done]}"),
        TimeElapsedColumn(),
    )
    with Progress(*columns) as bars:
        task = bars.add_task("timing", total=1.0, done="")

        def show(what: str, networks: int, share: float) -> None:
            bars.update(task, completed=share, description=what, done=f"{networks} networks")

        calibration = calibrate(
            space,
            classes=arguments.classes,
            seconds=arguments.seconds,
            seed=arguments.seed,
            meter=meter,
            progress=show,
        )
    error = calibration.error()
    path = arguments.out or calibration_path(space, arguments.classes, arguments.threads)
    calibration.save(path)
    timed = sum(unit.count for unit in calibration.timed_units)
    print(
        f"{timed:,} units timed ({len(calibration.timed_units):,} different) and"
        f" {len(calibration.fitted)} whole networks, {time.perf_counter() - start:.0f} s"
    )
    print(
        f"on {error.networks} networks not seen: mean error {error.mean:.1%}, at most"
        f" {error.most:.1%}; {error.within_10:.0%} within 10 %"
    )
    print(f"kept in {path}")
    return 0
