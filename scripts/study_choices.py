"""What each choice brings: networks drawn from a space, each under every option of one field.

    scripts/study_choices folder:cifar10.zip           2,500 images at 16 pixels, for two cores
    scripts/study_choices --full cifar10:DATA          50,000 at 32 pixels, for a machine with a GPU

Of each network everything stays as drawn but for one field, which takes each option in every stage
that may have it; all are trained with the same seeds and timed in the same rounds. Stop it whenever
you like: the same command goes on.
"""

from __future__ import annotations

import argparse
import json
import random
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from choices_page import write_page
from rich.console import Console

import mbnas
from mbnas.analysis.contenders import Contender
from mbnas.analysis.contest import Contest, Contested
from mbnas.analysis.contest_record import ContestRecord
from mbnas.cli.contest_progress import contest_progress
from mbnas.data import Dataset
from mbnas.engine import make_trainer
from mbnas.measure.host import this_host
from mbnas.measure.latency import OrtLatencyMeter
from mbnas.network import Architecture, Fusion
from mbnas.space import SearchSpace

ROUNDS = 3
SEEDS = (0, 1, 2)
OPTIONS: dict[str, dict[str, Any]] = {
    "fusion": {
        "none": Fusion(),
        "concat": Fusion("concat"),
        "weighted_sum, fixed": Fusion("weighted_sum", alpha=0.5),
        "weighted_sum, learned": Fusion("weighted_sum"),
        "attention": Fusion("attention"),
    },
    "block": {"mbconv": "mbconv", "fused_mbconv": "fused_mbconv"},
    "se_ratio": {"0": 0.0, "0.25": 0.25},
}
"""The first of each is what its others are held against, and what the rows of other fields have."""


@dataclass(frozen=True, slots=True)
class Form:
    """How large the study is."""

    subset: int | None
    validation: float
    epochs: int
    resolution: int
    width_multiplier: float | None


SHORT = Form(subset=2500, validation=0.4, epochs=6, resolution=16, width_multiplier=0.5)
FULL = Form(subset=None, validation=0.2, epochs=30, resolution=32, width_multiplier=None)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("data", help="as for mbnas search")
    parser.add_argument("--full", action="store_true")
    parser.add_argument("--space", default="cifar_mobile")
    parser.add_argument("--networks", type=int, default=20)
    parser.add_argument("--folder", type=Path, default=Path("studies/choices"))
    parser.add_argument("--out", type=Path, default=Path("studies/published/choices"))
    arguments = parser.parse_args()
    form = FULL if arguments.full else SHORT
    space = mbnas.load_space(arguments.space)
    variants = dict(drawn(space, arguments.networks, form))
    images = mbnas.load_data(arguments.data, subset=form.subset, validation=form.validation)
    found = contest(variants, images, form, arguments.folder)
    results = {
        "command": f"scripts/study_choices{' --full' if arguments.full else ''} folder:cifar10.zip",
        "machine": asdict(this_host(1)),
        "space": space.name,
        "form": asdict(form),
        "images": images.sizes,
        "seeds": len(SEEDS),
        "rows": [
            {"network": network, "field": field, "option": option, **figures(found[one.id])}
            for (network, field, option), one in variants.items()
        ],
    }
    arguments.out.mkdir(parents=True, exist_ok=True)
    (arguments.out / "choices.json").write_text(json.dumps(results, indent=1) + "\n")
    write_page(arguments.out)
    print(f"written: {arguments.out / 'README.md'}")


def drawn(
    space: SearchSpace, networks: int, form: Form
) -> Iterator[tuple[tuple[int, str, str], Architecture]]:
    """Every variant of the networks, by network, field and option."""
    rng = random.Random(0)
    for number in range(networks):
        plain = space.architecture(space.sample(rng))
        multiplier = form.width_multiplier or plain.width_multiplier
        plain = replace(plain, resolution=form.resolution, width_multiplier=multiplier)
        for field, options in OPTIONS.items():
            plain = everywhere(plain, space, field, next(iter(options.values())))
        for field, options in OPTIONS.items():
            for name, option in options.items():
                yield (number, field, name), everywhere(plain, space, field, option)


def everywhere(
    network: Architecture, space: SearchSpace, field: str, option: object
) -> Architecture:
    """The network with the option in every stage whose field the space lets vary."""
    varies = {choice.name for choice in space.choices}
    stages = tuple(
        replace(stage, **{field: option}) if f"stage{at}.{field}" in varies else stage  # type: ignore[arg-type]
        for at, stage in enumerate(network.stages, start=1)
    )
    return replace(network, stages=stages)


def contest(
    variants: dict[tuple[int, str, str], Architecture], images: Dataset, form: Form, folder: Path
) -> dict[str, Contested]:
    """All variants, trained and timed, by their ids."""
    recipe = mbnas.Recipe.for_images(
        images.sizes["train"], form.resolution, epochs=form.epochs, decay="cosine"
    )
    meter = OrtLatencyMeter()
    contenders = {
        one.id: Contender(f"network {number}, {field} {option}", one)
        for (number, field, option), one in variants.items()
    }
    with contest_progress(Console()) as watch:
        found = Contest(
            folder=folder,
            record=ContestRecord(
                recipe=recipe,
                seeds=SEEDS,
                rounds=ROUNDS,
                threads=meter.threads,
                host=this_host(meter.threads).fingerprint,
                digest=images.digest(),
            ),
            study_seed=0,
            classes=len(images.classes),
            trainer=partial(
                make_trainer, images, form.resolution, recipe, None, watch.images_decoded
            ),
            meter=meter,
            keep_weights=False,
            pack=None,
            observer=watch,
        ).run(list(contenders.values()))
    return {one.contender.id: one for one in found}


def figures(one: Contested) -> dict[str, Any]:
    """What a variant came to."""
    return {
        "id": one.contender.id,
        "accuracies": one.qualities("accuracy"),
        "latencies_ms": [latency.latency_ms for latency in one.latencies],
        "noisy": sum(latency.noisy for latency in one.latencies),
        "params": one.costs.params,
        "macs": one.costs.macs,
    }


if __name__ == "__main__":
    main()
