"""mbnas calibrate: learn to predict a space's latencies on this machine."""

from __future__ import annotations

import argparse
import time
from pathlib import Path

from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

import mbnas
from mbnas.cli.words import waiting_for_cores
from mbnas.measure.calibration import SECONDS, calibrate, calibration_path

_EPILOG = """\
examples:
  mbnas calibrate search_spaces/cifar_mobile.toml
  mbnas calibrate cifar_mobile --classes 100 --threads 2 --seconds 120

Times networks of the space part by part and as a whole, fits a predictor, and shows its error on
networks that it has not seen. `mbnas search` then finds it by itself: it says beforehand how much
of the space meets a latency limit, and leaves out networks that are far above one without timing
them. What a search reports is always measured. Valid for this machine and ONNX Runtime's version.
A space of only some dozens of networks is refused: a search measures them all, and foresees none.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the verb's arguments."""
    parser.epilog = _EPILOG
    parser.add_argument("file", metavar="FILE", help="search-space file, or a shipped space's name")
    parser.add_argument("--classes", type=int, default=10, help="of the data (default 10)")
    parser.add_argument("--threads", type=int, default=1, help="of a network (default 1)")
    parser.add_argument(
        "--seconds", type=float, default=SECONDS, help=f"to spend (default {SECONDS:.0f})"
    )
    parser.add_argument("--seed", type=int, default=0, help="of the networks drawn (default 0)")
    parser.add_argument("--out", type=Path, help="write there, not where a search looks")
    parser.set_defaults(run=run)


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
