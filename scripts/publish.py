"""What of a study is small enough to keep in git: tables, figures' values, networks.

    .venv/bin/python scripts/publish.py STUDY OUT --command "mbnas search ..."

Of a confirmed study too what its front came to; of another one only what the search found.
"""

from __future__ import annotations

import argparse
import json
import math
import subprocess
import tempfile
from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import Any

import mbnas
from mbnas.analysis.confirmation import Confirmation, Confirmed
from mbnas.network import Architecture
from mbnas.report.contest_words import (
    accuracy_said,
    against_said,
    confirmation_said,
    place_said,
    totals_said,
)
from mbnas.report.words import amount, count, plural, span
from mbnas.search import Study

ROOT = Path(__file__).resolve().parent.parent
WINDOW = "1180,1080"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("study", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--command", required=True, help="that makes the study again")
    parser.add_argument("--trained-on", help="the GPU, of a search that is not confirmed")
    arguments = parser.parse_args()
    study = mbnas.open_study(arguments.study)
    found = mbnas.open_confirmation(study)
    out: Path = arguments.out
    out.mkdir(parents=True, exist_ok=True)
    report = mbnas.write_report(study)
    for name in ("front.csv", "trials.csv"):
        (out / name).write_bytes(report.with_name(name).read_bytes())
    (out / "space.toml").write_text(study.space.toml)
    for earlier in out.glob("trial-*.json"):
        earlier.unlink()
    if found is None:
        networks = {f"trial-{trial.number}": trial.architecture for trial in study.front}
        (out / "confirmed.json").unlink(missing_ok=True)
        text = searched_page(study, arguments.command, arguments.trained_on)
    else:
        networks = {
            one.name.replace(" ", "-"): one.contested.contender.network for one in found.front
        }
        figures = json.dumps(finite(as_json(study, found)), indent=1, allow_nan=False)
        (out / "confirmed.json").write_text(figures + "\n")
        text = page(study, found, arguments.command)
    for name, network in networks.items():
        if isinstance(network, Architecture):
            (out / f"{name}.json").write_text(network.to_json() + "\n")
    picture(study, report, out / "report.png")
    (out / "README.md").write_text(text)
    print(f"published: {out}")


def picture(study: Study, report: Path, out: Path) -> None:
    """The report's first screen, without the place where the images lie on this machine."""
    kind, _, place = study.record.data.spec.partition(":")
    shown = f"{kind}:{Path(place).name}" if place else kind
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / report.name
        copy.write_text(report.read_text().replace(study.record.data.spec, shown))
        command = [ROOT / "scripts" / "picture", copy, out, WINDOW]
        subprocess.run(command, check=True, cwd=ROOT)


def as_json(study: Study, found: Confirmation) -> dict[str, Any]:
    """Every figure of a confirmation."""
    host = study.record.host
    return {
        "machine": f"{host.cpu}, {host.cores} cores, ONNX Runtime {host.onnxruntime}",
        "recipe": asdict(found.recipe),
        "seeds": found.seeds,
        "deviation_between_seeds": found.deviation,
        "agreement": asdict(found.agreement),
        "openings": [one.said for one in found.openings],
        "networks": [_network(one, found) for one in found.networks],
        "versus": None if found.versus is None else asdict(found.versus),
    }


def finite(value: Any) -> Any:
    """The same with None for what is infinite or no number: JSON has neither."""
    if isinstance(value, dict):
        return {key: finite(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [finite(inner) for inner in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _network(one: Confirmed, found: Confirmation) -> dict[str, Any]:
    return {
        "name": one.name,
        "id": one.contested.contender.id,
        "place": one.place,
        "brief": one.brief,
        "validation": one.validation,
        "test": one.test,
        found.cost: one.cost,
        "cost_error": one.cost_error,
        "latencies": [asdict(latency) for latency in one.contested.latencies],
        **asdict(one.contested.costs),
        **asdict(one.place_now),
        "last_fifth": one.last_fifth,
        "last_fifth_error": found.last_fifth_error,
        "training_seconds": sum(run.seconds for run in one.contested.runs),
    }


def searched_page(study: Study, command: str, trained_on: str | None) -> str:
    """A page of what a search found, its front not confirmed."""
    host, cost, trials = study.record.host, study.record.goals.cost, study.trials
    each = Counter(trial.status for trial in trials)
    rows = [
        f"| trial {trial.number} | {trial.accuracy:.2%} | {amount(cost, trial.value(cost))} |"
        f" {count(trial.costs.params)} | {count(trial.costs.macs)} | {trial.costs.resolution} |"
        for trial in study.front
    ]
    return "\n".join(
        [
            f"# {study.record.name}",
            "",
            f"Made by `{command}`, written by `scripts/publish.py`. Images: {_sizes(study)}."
            f" {plural(len(trials), 'trial')} of {plural(study.record.recipe.epochs, 'epoch')}"
            f" ({', '.join(f'{number} {status}' for status, number in each.most_common())}),"
            f" {span(_search_seconds(study))} of training"
            f"{f', on {trained_on}' if trained_on else ''}. {host.cpu}, {host.cores} cores,"
            f" {plural(host.threads, 'thread')}, ONNX Runtime {host.onnxruntime};"
            f" {_noisy_of_search(study)}. Not confirmed: accuracies are of the validation part,"
            " after brief training and with one seed, and the front is chosen by them.",
            "",
            "![Every network of the search](report.png)",
            "",
            f"| network | accuracy | {cost} | params | MACs | px |",
            "|---|---|---|---|---|---|",
            *rows,
            "",
        ]
    )


def page(study: Study, found: Confirmation, command: str) -> str:
    """A page of tables and sentences."""
    record = study.record
    rows = [
        f"| {one.name} | {'–' if one.brief is None else f'{one.brief:.2%}'} |"
        f" {accuracy_said(one.validation)} | {accuracy_said(one.test)} |"
        f" {amount(found.cost, one.cost)} | {count(one.contested.costs.params)} |"
        f" {count(one.contested.costs.macs)} |"
        f" {'–' if one.trial is None else f'{one.place_now.probability:.0%}'} |"
        f" {100 * one.last_fifth:+.1f} | {place_said(one)} |"
        for one in sorted(found.networks, key=lambda one: one.cost)
    ]
    lines = [confirmation_said(found)]
    if found.versus is not None:
        lines += ["", *(f"- {against_said(one, found.cost)}" for one in found.versus.against)]
        lines += [f"- {said}" for said in totals_said(found.versus, found.cost)]
    restless = [one.name for one in found.networks if one.last_fifth >= 0.01]
    learning = ", ".join(restless) or "none"
    host = record.host
    return "\n".join(
        [
            f"# {record.name}",
            "",
            f"Made by `{command}`, written by `scripts/publish.py`. Images:"
            f" {_sizes(study)}. Search:"
            f" {len(study.trials)} trials of {record.recipe.epochs} epochs,"
            f" {span(_search_seconds(study))} of training. Confirmed: {found.recipe.epochs}"
            f" epochs, {len(found.seeds)} seeds, {span(_confirm_seconds(found))} of training;"
            f" the test part was opened {times(len(found.openings))}. {host.cpu}, {host.cores}"
            f" cores, {plural(host.threads, 'thread')}, ONNX Runtime {host.onnxruntime};"
            f" {_noisy_said(study, found)}.",
            "",
            "![The confirmed front and the baselines](report.png)",
            "",
            *lines,
            "",
            "| network | brief | validation | test | "
            f"{found.cost} | params | MACs | on the front | last fifth, points | place |",
            "|---|---|---|---|---|---|---|---|---|---|",
            *rows,
            "",
            "Test is a mean over the seeds ± the standard deviation between them; pooled over all"
            f" networks, the validation accuracy's is {100 * found.deviation:.2f} points."
            " What the last fifth of the epochs brought is a mean too, with a standard error of"
            f" {100 * found.last_fifth_error:.1f} points; a point or more: {learning}.",
            "",
        ]
    )


def times(number: int) -> str:
    return "once" if number == 1 else f"{number} times"


def _sizes(study: Study) -> str:
    return ", ".join(f"{size:,} {part}" for part, size in study.record.data.sizes.items())


def _noisy_of_search(study: Study) -> str:
    noisy = [trial.latency.noisy for trial in study.trials if trial.latency is not None]
    return f"noisy were {sum(noisy)} of {len(noisy)} timings of the search"


def _noisy_said(study: Study, found: Confirmation) -> str:
    confirmed = [one.noisy for each in found.networks for one in each.contested.latencies]
    return f"{_noisy_of_search(study)}, and {sum(confirmed)} of {len(confirmed)} of the confirming"


def _search_seconds(study: Study) -> float:
    return sum(trial.training_seconds for trial in study.trials)


def _confirm_seconds(found: Confirmation) -> float:
    return sum(run.seconds for one in found.networks for run in one.contested.runs)


if __name__ == "__main__":
    main()
