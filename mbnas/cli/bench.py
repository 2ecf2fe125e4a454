"""mbnas bench: how long networks take on this machine, and where the time goes."""

from __future__ import annotations

import argparse
import contextlib
from collections.abc import Sequence
from pathlib import Path

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

import mbnas
from mbnas.cli.network import classes_for, classes_in
from mbnas.cli.table import print_table
from mbnas.cli.words import waiting_for_cores
from mbnas.files import write_atomically
from mbnas.measure.host import this_host
from mbnas.measure.networks import NamedNetwork, open_network
from mbnas.measure.profile import OperatorTime, by_part
from mbnas.report import profile_figure
from mbnas.report.words import plural

_BAR = 40


def run(arguments: argparse.Namespace) -> int:
    """Runs the verb."""
    profiled = arguments.profile or arguments.chart is not None
    if profiled and len(arguments.networks) > 1:
        raise mbnas.MeasureError("--profile: takes one network at a time")
    networks = [
        open_network(
            _file_in(text),
            resolution=arguments.resolution,
            classes=classes_for(text, arguments.classes),
            width_multiplier=arguments.multiplier,
            small=arguments.small,
        )
        for text in arguments.networks
    ]
    meter = mbnas.OrtLatencyMeter(arguments.threads, arguments.seconds, on_wait=waiting_for_cores)
    about = f"{plural(len(networks), 'network')}, about {arguments.seconds * len(networks):.0f} s"
    with Console(stderr=True).status(f"timing {about}"):
        latencies = meter.measure_files([network.file for network in networks])
    host = this_host(arguments.threads)
    names = _told_apart(networks, arguments.networks)
    threads = plural(host.threads, "thread")
    print(f"{host.cpu}, {threads}, ONNX Runtime {host.onnxruntime}, batch 1")
    print(_classes_said(names, networks))
    print_table(_table(names, latencies))
    slowdown = max(latency.slowdown for latency in latencies)
    if any(latency.noisy for latency in latencies):
        print(f"~ noisy: the machine was busy (its pace {slowdown:.2f} times its best)")
    if profiled:
        operators = meter.profile(networks[0].file, runs=50, seconds=max(2.0, arguments.seconds))
        _print_profile(networks[0], operators, arguments.chart)
    return 0


def _file_in(text: str) -> str:
    """The network of a bundle whose folder was given; any other text as it is."""
    file = Path(text, "model.onnx")
    with contextlib.suppress(OSError):  # such as of a name too long, which is told later
        return str(file) if file.is_file() else text
    return text


def _classes_said(names: Sequence[str], networks: Sequence[NamedNetwork]) -> str:
    """How many classes the networks tell apart; of which how many, where these differ."""
    found = [classes_in(network.file) for network in networks]
    said = ["unknown" if one is None else f"{one:,}" for one in found]
    if len(set(said)) > 1:
        said = [f"{name} {one}" for name, one in zip(names, said, strict=True)]
    return f"classes: {', '.join(dict.fromkeys(said))}"


def _told_apart(networks: Sequence[NamedNetwork], asked: Sequence[str]) -> list[str]:
    """The networks' names; what was asked for where two have the same, as bundles' files do."""
    names = [network.name for network in networks]
    return [
        text if names.count(name) > 1 else name for name, text in zip(names, asked, strict=True)
    ]


def _table(names: Sequence[str], latencies: Sequence[mbnas.Latency]) -> Table:
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    table.add_column("network", overflow="fold")
    for name in ("latency ms", "95 % interval", "ratio", "p50", "p90", "runs"):
        table.add_column(name, justify="right", no_wrap=True)
    first = latencies[0].latency_ms
    for name, latency in zip(names, latencies, strict=True):
        table.add_row(
            Text(name),
            f"{latency.latency_ms:.3f}{' ~' if latency.noisy else ''}",
            f"{latency.low_ms:.3f} to {latency.high_ms:.3f}",
            f"{latency.latency_ms / first:.2f}",
            f"{latency.p50_ms:.3f}",
            f"{latency.p90_ms:.3f}",
            f"{latency.samples}/{latency.runs}",
        )
    return table


def _print_profile(
    network: NamedNetwork, operators: list[OperatorTime], chart: Path | None
) -> None:
    total = sum(operator.milliseconds for operator in operators)
    parts = by_part(operators)
    table = Table("part", "ms", "share", "", box=SIMPLE_HEAD, pad_edge=False, title_justify="left")
    for part, milliseconds in parts.items():
        bar = "█" * max(1, round(_BAR * _share(milliseconds, max(parts.values()))))
        table.add_row(Text(part), f"{milliseconds:.3f}", f"{_share(milliseconds, total):.0%}", bar)
    print_table(table)
    table = Table("operator", "kind", "ms", "share", box=SIMPLE_HEAD, pad_edge=False)
    for operator in sorted(operators, key=lambda one: -one.milliseconds)[:15]:
        share = _share(operator.milliseconds, total)
        name, kind = Text(operator.name), Text(operator.kind)
        table.add_row(name, kind, f"{operator.milliseconds:.3f}", f"{share:.0%}")
    print_table(table)
    shown = min(15, len(operators))
    print(f"the costliest {shown} of {len(operators)} operators; profiling adds to each")
    if chart is not None:
        page = profile_figure(network.name, operators).to_html()
        try:
            write_atomically(chart, page.encode())
        except OSError as error:
            raise mbnas.MeasureError(f"{chart}: cannot be written ({error.strerror})") from None
        print(f"chart: {chart}")


def _share(part: float, whole: float) -> float:
    """Operators are timed in whole microseconds: all may have taken none."""
    return part / whole if whole else 0.0
