"""mbnas retarget: time a study's networks again, and see what becomes of its front."""

from __future__ import annotations

import argparse
from pathlib import Path

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

import mbnas
from mbnas.analysis.retarget import REACH
from mbnas.analysis.retargeting import RetargetObserver
from mbnas.cli.options import limit
from mbnas.cli.words import SaysItWaits, goes_on_with
from mbnas.measure.cores import usable_cores
from mbnas.measure.latency import SECONDS
from mbnas.report.retarget_page import front_place, target, verdict
from mbnas.report.words import QUANTITIES, digits, interval, plural

_EPILOG = f"""\
examples:
  mbnas retarget studies/photos                          a repetition: what moves by chance
  mbnas retarget studies/photos --threads 4
  mbnas retarget studies/photos --int8 --limit latency_ms=1
  mbnas retarget studies/photos --all --name laptop      on another machine, every network

LIMIT  as in a search: latency_ms=2, params=1e6, ...; takes the place of the study's own.

Networks that were trained are timed again on this machine, as it is set up now, and nothing is
trained. Without --all these are the front and its neighbourhood: what would be on the front if it
took --reach less of its latency ({REACH} by default). The study stays as it is; latencies are kept
as they come in STUDY/retargets/NAME.json, the report lies beside it.

With --int8 the latencies are of networks in 8 bits. Accuracies are always those in 32 bits.

Once `mbnas confirm` has confirmed the front, every network that was confirmed is timed too, and
both fronts are theirs alone, by their confirmed accuracies.

Ctrl-C is safe at any time: the same command goes on.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the verb's arguments."""
    parser.epilog = _EPILOG
    parser.add_argument("study", metavar="STUDY", type=Path, help="a study's folder")
    target = parser.add_argument_group("target")
    target.add_argument("--threads", type=int, help="of a timed network (default the study's)")
    target.add_argument("--int8", action="store_true", help="time the networks in 8 bits")
    target.add_argument(
        "--seconds", type=float, default=SECONDS, help=f"for each network (default {SECONDS})"
    )
    networks = parser.add_argument_group("networks").add_mutually_exclusive_group()
    networks.add_argument(
        "--reach",
        type=float,
        default=REACH,
        metavar="SHARE",
        help=f"those nearer to the front than this share of their latency (default {REACH})",
    )
    networks.add_argument("--all", action="store_true", help="every trained network")
    parser.add_argument(
        "--limit", type=limit, action="append", default=[], help="of the new front, see below"
    )
    parser.add_argument(
        "--name", help="of its file (default processor, threads, precision, ONNX Runtime)"
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Runs the verb."""
    study = mbnas.open_study(arguments.study)
    console = Console()
    _warn_of_threads(study.record.threads if arguments.threads is None else arguments.threads)
    with goes_on_with(arguments.study), _Watch(console, arguments.seconds) as watch:
        found = mbnas.retarget(
            study,
            threads=arguments.threads,
            int8=arguments.int8,
            seconds=arguments.seconds,
            reach=1.0 if arguments.all else arguments.reach,
            limits=arguments.limit,
            name=arguments.name,
            observer=watch,
        )
    _show(found, console)
    for line in verdict(found):
        print(line)
    print(f"report:  {mbnas.write_retarget_report(found)}")
    return 0


def _warn_of_threads(threads: int) -> None:
    cores = len(usable_cores())
    if threads > cores:
        print(
            f"{plural(threads, 'thread')} are more than the {plural(cores, 'core')} that may be"
            " used here: they wait for each other, and the latencies are those of such threads",
            flush=True,
        )


class _Watch(SaysItWaits, RetargetObserver):
    """A bar over the networks; where there is no terminal, a line for each."""

    def __init__(self, console: Console, seconds: float) -> None:
        self._console = console
        self._seconds = seconds
        self._bars = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            console=console,
            disable=not console.is_terminal,
        )
        self._task = self._bars.add_task("timing", total=1)

    def __enter__(self) -> _Watch:
        self._bars.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bars.stop()

    def planned(self, file: Path, networks: int, done: int) -> None:
        self._bars.update(self._task, total=networks, completed=done)
        before = f", {done} of them timed before" if done else ""
        about = self._seconds * (networks - done)
        self._say(f"{plural(networks, 'network')}{before}; about {about:.0f} s")
        self._say(f"kept in  {file}")

    def written(self, trial: mbnas.Trial) -> None:
        self._bars.update(self._task, description=f"trial {trial.number} written")

    def timing(self, networks: int) -> None:
        said = f"timing {plural(networks, 'network')} by turns"
        self._bars.update(self._task, description=said)
        if not self._console.is_terminal:
            self._say(said)

    def timed(self, trial: mbnas.Trial, latency: mbnas.Latency) -> None:
        self._bars.update(self._task, advance=1, description="timing")
        if not self._console.is_terminal:
            self._say(f"trial {trial.number}: {digits(latency.latency_ms)} ms")

    def _say(self, text: str) -> None:
        self._console.print(text, highlight=False, soft_wrap=True, markup=False)
        self._console.file.flush()


def _show(found: mbnas.Retarget, console: Console) -> None:
    quality = found.goals.quality
    table = Table(
        box=SIMPLE_HEAD,
        pad_edge=False,
        collapse_padding=True,
        title=f"The front on {target(found)}",
    )
    noun = QUANTITIES[quality].noun
    for name in ("trial", noun, "old ms", "new ms", "95 % interval", "ratio", "rank"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("front")
    for one in found.on_a_front:
        table.add_row(
            str(one.trial.number),
            f"{one.trial.value(quality):.4f}",
            digits(one.old_ms),
            f"{digits(one.new_ms)}{' ~' if one.latency.noisy else ''}",
            interval(one.now),
            f"{one.ratio:.2f}",
            f"{one.old_rank} → {one.new_rank}",
            front_place(found, one.trial.number),
        )
    console.print(table)
