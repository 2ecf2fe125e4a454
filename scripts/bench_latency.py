"""The latency figures: how well estimators repeat, how cheap measuring is, how well it predicts.

    .venv/bin/python scripts/bench_latency.py --out studies/published/latency
    .venv/bin/python scripts/bench_latency.py --short --parts repeat

Writes results.json and table.md. The load is a loop of 700×700 float32 matrix products in another
process, on one thread, held on one core. The whole takes about half an hour; nothing else should
run meanwhile but the load that is named.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from bench_latency_common import say
from bench_latency_parts import cheap, limits, predict
from bench_latency_repeat import ESTIMATORS, LOADS, OURS, repeat

from mbnas.measure.host import this_host


def commit() -> str:
    """Which state of mbnas was measured."""
    git = ["git", "describe", "--always", "--dirty", "--exclude=*"]
    return subprocess.run(git, capture_output=True, text=True, check=True).stdout.strip()


def table(results: dict[str, Any]) -> str:
    """What was found, as Markdown."""
    host = results["host"]
    lines = [
        "# Latency: what was measured",
        "",
        f"{host['cpu']}, {host['cores']} cores, ONNX Runtime {host['onnxruntime']}, batch 1,"
        f" {host['threads']} thread. Made by `{results['command']}` on {results['date']}, at commit"
        f" {results['commit']}.",
        "",
    ]
    if "repeat" in results:
        lines += repeat_table(results["repeat"])
    for name in ("cheap", "predict", "limits"):
        if name in results:
            lines += [f"## {name}", "", "| quantity | value |", "|---|---|"]
            lines += [
                f"| {key.replace('_', ' ')} | {shown(value)} |"
                for key, value in results[name].items()
            ]
            lines.append("")
    return "\n".join(lines)


def repeat_table(found: dict[str, Any]) -> list[str]:
    lines = [
        "## repeat",
        "",
        "Two processes, the same networks of 0.5 to 10 ms: 95 % quantile (and median) of the"
        " relative difference, Kendall's τ, and the median bias against the quiet machine. All"
        " had the same runs of each network, but for the first rival, which is the usual way and"
        " has the first 50 of them.",
        "",
        "| estimator | " + " | ".join(found) + " |",
        "|---|" + "---|" * len(found),
    ]
    for name in (OURS, *ESTIMATORS):
        cells = [found[load]["estimators"][name] for load in found]
        said = [
            f"{100 * c['p95']:.1f} % ({100 * c['median']:.1f} %), τ {c['tau']:.3f},"
            f" bias {100 * c['bias']:+.1f} %"
            for c in cells
        ]
        lines.append(f"| {name} | " + " | ".join(said) + " |")
    for key in found["quiet"]:
        if key != "estimators":
            cells = [shown(found[load][key]) for load in found]
            lines.append(f"| {key.replace('_', ' ')} | " + " | ".join(cells) + " |")
    return [*lines, ""]


def shown(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key} {shown(part)}" for key, part in value.items())
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--parts", nargs="+", default=["repeat", "cheap", "predict", "limits"])
    parser.add_argument(
        "--loads", nargs="+", choices=LOADS[1:], default=LOADS[1:], help="of part repeat"
    )
    parser.add_argument("--short", action="store_true", help="fewer networks, some minutes")
    parser.add_argument("--out", type=Path, help="folder for results.json and table.md")
    arguments = parser.parse_args()
    short = arguments.short
    parts: dict[str, Callable[[], dict[str, Any]]] = {
        "repeat": lambda: repeat(12 if short else 80, ["quiet", *arguments.loads]),
        "cheap": lambda: cheap(10 if short else 50),
        "predict": lambda: predict(20 if short else 100, 30 if short else 150),
        "limits": lambda: limits(10 if short else 40),
    }
    results: dict[str, Any] = {
        "date": time.strftime("%Y-%m-%d"),
        "command": " ".join(["scripts/bench_latency.py", *(["--short"] if short else [])]),
        "commit": commit(),
        "host": asdict(this_host()),
    }
    for name in arguments.parts:
        results[name] = parts[name]()
        say(f"{name} done")
        if arguments.out:
            arguments.out.mkdir(parents=True, exist_ok=True)
            (arguments.out / "results.json").write_text(json.dumps(results, indent=1) + "\n")
            (arguments.out / "table.md").write_text(table(results))
    print(table(results))


if __name__ == "__main__":
    main()
