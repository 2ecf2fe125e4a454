"""How long an ask takes, by the number of finished trials, on a space of 10¹² networks."""

from __future__ import annotations

import argparse
import json
import random
import resource
import time
from pathlib import Path
from statistics import median

import optuna

import mbnas
from mbnas.measure.host import this_host
from mbnas.sampling.history import read_trial
from mbnas.search.foresight import Foresight
from mbnas.search.objectives import Goals
from mbnas.search.samplers import SamplerSource
from mbnas.testing import fake_accuracy, fake_latency_ms

ASKS = 20


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--space", default="cifar_mobile")
    parser.add_argument("--sampler", default="known_cost")
    parser.add_argument("--trials", type=int, nargs="+", default=[20, 100, 300, 1000, 3000])
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    space = mbnas.load_space(arguments.space)
    goals = Goals.of([mbnas.maximize("accuracy"), mbnas.minimize("latency_ms")])
    foresight = Foresight(space, 10, goals, None)
    setting = foresight.setting((0.1, 50.0), seed=0)
    # Trials of a plain study, which say themselves what they are.
    setting = type(setting)(
        setting.distributions,
        setting.knowns,
        setting.identity,
        read_trial,
        setting.reference,
        setting.seed,
    )
    source = SamplerSource(arguments.sampler, setting)
    study = optuna.create_study(directions=["maximize", "minimize"])
    rng, rows = random.Random(0), []
    for count in arguments.trials:
        while len(study.get_trials(deepcopy=False)) < count:
            params = space.sample(rng)
            network = space.architecture(params)
            study.add_trial(
                optuna.create_trial(
                    params=params,
                    distributions=foresight.distributions,
                    values=[fake_accuracy(network), fake_latency_ms(network)],
                )
            )
        seconds = []
        for _ in range(ASKS):
            study.sampler = source.for_trial(len(study.get_trials(deepcopy=False)))
            start = time.perf_counter()
            trial = study.ask(source.distributions)
            seconds.append(time.perf_counter() - start)
            network = space.architecture(trial.params)
            study.tell(trial, [fake_accuracy(network), fake_latency_ms(network)])
        row = {
            "finished": count,
            "ask_seconds_median": median(seconds),
            "ask_seconds_most": max(seconds),
            "peak_memory_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        }
        rows.append(row)
        print(row, flush=True)
    if arguments.out:
        host = this_host(1)
        content = {
            "cpu": host.cpu,
            "cores": host.cores,
            "sampler": arguments.sampler,
            "space": space.name,
            "points": space.size,
            "asks": ASKS,
            "rows": rows,
        }
        arguments.out.write_text(json.dumps(content, indent=1) + "\n")


if __name__ == "__main__":
    main()
