"""What stopping hopeless trials saves, and what it costs: real searches on digits.

Each seed is searched three times: every network trained to its end; hopeless ones stopped; and
every network trained half as long. A network has the same latency in all of them. The fourth row is
what the first search had come to after as many epochs as the second one took in all: whoever stops
no trial may end the search instead.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import mbnas
from mbnas.measure.host import this_host
from mbnas.measure.latency import Latency, OrtLatencyMeter
from mbnas.search.front import front, hypervolume, points

EPOCHS = 9
RUNGS = (1, 3)


class RememberingMeter:
    """Times each network once, for all searches."""

    def __init__(self) -> None:
        self._meter = OrtLatencyMeter(threads=1)
        self._known: dict[str, Latency] = {}

    @property
    def threads(self) -> int:
        return self._meter.threads

    def measure(self, architectures: Sequence[mbnas.Architecture], classes: int) -> list[Latency]:
        new = [one for one in architectures if one.id not in self._known]
        if new:
            found = self._meter.measure(new, classes)
            self._known.update(zip((one.id for one in new), found, strict=True))
        return [self._known[one.id] for one in architectures]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--trials", type=int, default=60)
    parser.add_argument("--sampler", default="known_cost")
    parser.add_argument("--out", type=Path, default=Path("studies/stopping"))
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    file = arguments.out / f"stopping-{arguments.sampler}.json"
    space = mbnas.load_space("digits_tiny")
    data = mbnas.load_data("digits", validation=0.3)
    full = mbnas.Recipe.for_images(data.sizes["train"], 8, epochs=EPOCHS, rungs=RUNGS)
    half = replace(full, epochs=round(EPOCHS / 2 + 0.1), rungs=())
    variants = {"unstopped": (full, False), "stopped": (full, True), "half": (half, False)}
    meter, rows = RememberingMeter(), []
    for seed in range(arguments.seeds):
        studies = {}
        for name, (recipe, stopping) in variants.items():
            with tempfile.TemporaryDirectory() as folder:
                studies[name] = mbnas.Search(
                    space,
                    data,
                    study=Path(folder) / "study",
                    sampler=arguments.sampler,
                    recipe=recipe,
                    stopping=stopping,
                    seed=seed,
                    meter=meter,
                ).run(trials=arguments.trials)
            rows.append(row_of(seed, name, studies[name], studies[name].trials))
            if name == "stopped":
                whole, epochs = studies["unstopped"], rows[-1]["epochs"]
                rows.append(row_of(seed, "ended", whole, within(whole.trials, epochs)))
            print(rows[-1], flush=True)
        summary = summarised(rows)
        host = this_host(1)
        content = {
            "cpu": host.cpu,
            "cores": host.cores,
            "trials": arguments.trials,
            "epochs": EPOCHS,
            "rungs": RUNGS,
            "sampler": arguments.sampler,
            "summary": summary,
            "runs": rows,
        }
        file.write_text(json.dumps(content, indent=1) + "\n")
    print(json.dumps(summary, indent=1))


def within(trials: Sequence[mbnas.Trial], epochs: int) -> list[mbnas.Trial]:
    """The first trials, as many as were trained within so many epochs."""
    found: list[mbnas.Trial] = []
    for trial in trials:
        epochs -= len(trial.curve) if trial.status != "reused" else 0
        if epochs < 0:
            break
        found.append(trial)
    return found


def row_of(
    seed: int, name: str, study: mbnas.Study, trials: Sequence[mbnas.Trial]
) -> dict[str, Any]:
    """What some trials of a study had come to, and what they cost."""
    own = [trial for trial in trials if trial.status != "reused"]
    goals, reference = study.record.goals, study.record.reference
    return {
        "seed": seed,
        "variant": name,
        "hypervolume": hypervolume(points(front(trials, goals), goals), reference),
        "epochs": sum(len(trial.curve) for trial in own),
        **{
            status: sum(trial.status == status for trial in own)
            for status in ("trained", "stopped", "untrained", "failed")
        },
    }


def summarised(rows: list[dict[str, Any]]) -> dict[str, object]:
    """Means over the seeds, and the ratios to the searches that stop nothing."""
    whole = {row["seed"]: row for row in rows if row["variant"] == "unstopped"}
    found: dict[str, object] = {}
    for name in ("unstopped", "stopped", "ended", "half"):
        own = [row for row in rows if row["variant"] == name]
        if not own:
            continue
        volumes = [row["hypervolume"] / whole[row["seed"]]["hypervolume"] for row in own]
        epochs = [row["epochs"] / whole[row["seed"]]["epochs"] for row in own]
        found[name] = {
            "hypervolume_ratio": sum(volumes) / len(volumes),
            "hypervolume_ratio_least": min(volumes),
            "epochs_ratio": sum(epochs) / len(epochs),
            "searches": len(own),
        }
    return found


if __name__ == "__main__":
    main()
