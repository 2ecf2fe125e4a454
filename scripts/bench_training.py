"""The training figures: against a bare loop, against a stock loop, and packed.

    .venv/bin/python scripts/bench_training.py --data cifar10.zip --out studies/published/training
    .venv/bin/python scripts/bench_training.py --short

The stock loop is what one finds in most repositories: DataLoaders with two workers, eight
beside a GPU, PIL images and torchvision's transforms, maps in NCHW, an optimiser that is not
fused, `loss.item()` at every step; in float32 on a CPU, with autocast on a GPU. The bare loop is
forward, backward and step on one resident random batch in channels-last memory, in the same
precision and with the same memory kept (and, told apart, without); on a GPU by torch's own layers,
captured as a CUDA graph. Rounds of all three are interleaved. The standard library, numpy, torch
and Pillow suffice; where torchvision is missing, its transforms are done by hand.
"""

from __future__ import annotations

import argparse
import json
import platform
import random
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

from bare_loop import Bare, synchronize  # noqa: E402
from bench_packing import candidates, packing  # noqa: E402
from bench_training_memory import memory  # noqa: E402
from stock_loop import CLASSES, Part, Stock, read_images, torchvision_transform  # noqa: E402

from mbnas.network import Architecture, costs  # noqa: E402
from mbnas.space import load_space  # noqa: E402
from mbnas.training.gpu.form import why_not  # noqa: E402
from mbnas.training.recipe import Precision, Recipe  # noqa: E402
from mbnas.training.run import TrainingRun  # noqa: E402
from mbnas.training.torch_trainer import TorchTrainer  # noqa: E402
from mbnas.training.trainer import Assignment, Epoch  # noqa: E402

SPACE = load_space(str(ROOT / "search_spaces" / "cifar_mobile.toml"))
QUANTILES = (0.15, 0.5, 0.85)
NAMES = ("small", "middling", "large")
BATCH = {"cpu": 64, "cuda": 256}
"""As for some thousand images, and for tens of thousands."""


def networks() -> list[Architecture]:
    """Three networks of the space: small, middling and large by their multiply-accumulates."""
    rng = random.Random(1)
    some = [SPACE.architecture(SPACE.sample(rng)) for _ in range(60)]
    some.sort(key=lambda one: costs(one.lower(CLASSES)).macs)
    return [some[round(share * (len(some) - 1))] for share in QUANTILES]


# ---------------------------------------------------------------- speed and accuracy


def ours_epoch(run: TrainingRun, draws: torch.Generator, device: str) -> float:
    """One epoch of mbnas's, evaluation left out; seconds."""
    synchronize(device)
    run.network.train()
    start = time.perf_counter()
    run.steps.begin_epoch(1, draws)
    for _ in range(run.steps.an_epoch):
        run.steps.advance()
    float(run.steps.epoch_loss())
    return time.perf_counter() - start


def speed(
    architecture: Architecture,
    train: Part,
    held_out: Part,
    rounds: int,
    device: str,
    precision: Precision,
) -> dict[str, Any]:
    """Seconds an epoch: bare, ours, stock, in turns; and the ratios, each within a round."""
    recipe = recipe_on(device, precision=precision)
    trainer = make_trainer(train, held_out, recipe, device)
    size = trainer.recipe.batch_size_for(len(train.labels))
    with trainer.prepared(architecture):
        run = trainer._run(architecture, 0, None)
        bare = Bare(architecture, size, device, precision)
    stock = Stock(architecture, train, held_out, recipe, device)
    stock.begin(0)
    draws, steps = torch.Generator(), run.steps.an_epoch
    rows = []
    for _ in range(rounds + 1):
        with trainer.prepared(architecture):
            pair = bare.run(steps), ours_epoch(run, draws, device)
            threads = torch.get_num_threads()
        usual = pair[0]
        if device == "cpu":
            before = torch.get_num_threads()
            torch.set_num_threads(threads)
            usual = bare.run(steps)
            torch.set_num_threads(before)
        rows.append((*pair, usual, stock.epoch()))
    times = rows[1:]  # the first round pays for set-up
    bares, ours, usuals, stocks = (np.array(column) for column in zip(*times, strict=True))
    return {
        "macs": costs(architecture.lower(CLASSES)).macs,
        "params": costs(architecture.lower(CLASSES)).params,
        "resolution": architecture.resolution,
        "batch": size,
        "images a second": round(steps * size / float(np.median(ours))),
        "of the bare loop": spread(bares / ours),
        "of the bare loop without kept memory": spread(usuals / ours),
        "over the stock loop": spread(stocks / ours),
    }


def accuracies(
    architecture: Architecture,
    train: Part,
    held_out: Part,
    seeds: int,
    recipe: Recipe,
    device: str,
) -> dict[str, Any]:
    """Accuracy of ours and of stock after equal epochs, by seed."""
    epochs = recipe.epochs
    trainer = make_trainer(train, held_out, recipe, device)
    stock = Stock(architecture, train, held_out, recipe, device)
    mine, theirs = [], []
    for seed in range(seeds):
        mine.append(trainer.train(Assignment(architecture, seed), ignore).accuracy)
        stock.begin(seed)
        for _ in range(epochs):
            stock.epoch()
        theirs.append(stock.accuracy())
    difference = float(np.mean(mine) - np.mean(theirs))
    error = float(np.hypot(np.std(mine, ddof=1), np.std(theirs, ddof=1)) / np.sqrt(seeds))
    return {
        "epochs": epochs,
        "ours": [round(value, 4) for value in mine],
        "stock": [round(value, 4) for value in theirs],
        "difference": round(difference, 4),
        "standard error": round(error, 4),
    }


def packed(
    train: Part,
    held_out: Part,
    count: int,
    recipe: Recipe,
    device: str,
    found: dict[str, Any],
    keep: Callable[[], None],
) -> None:
    """Candidates an hour, one at a time and several at once, as a search trains on the device."""
    trainer = make_trainer(train, held_out, recipe, device)
    some = candidates(SPACE, count)
    found["candidates an hour, stock loop"] = round(
        3600 / stock_seconds(some[:: count // 3], train, held_out, recipe.epochs, device)
    )
    if device == "cpu":
        found |= in_threads(trainer, some)
    else:
        packing(trainer, SPACE, count, found, keep)


def in_threads(trainer: TorchTrainer, some: Sequence[Architecture]) -> dict[str, Any]:
    """Candidates an hour on a CPU, one at a time and two at once, in turns."""
    count = len(some)
    found: dict[str, Any] = {"candidates": count, "epochs": trainer.epochs}
    first: list[float] = []
    for pack in (1, 2, 1, 2):
        sharing = trainer.among(pack)

        def work(one: Architecture, sharing: TorchTrainer = sharing) -> float:
            return sharing.train(Assignment(one, 0), ignore).accuracy

        with ThreadPoolExecutor(pack) as pool:
            start = time.perf_counter()
            accuracy = list(pool.map(work, some))
        rate = round(3600 * count / (time.perf_counter() - start))
        found.setdefault(f"candidates an hour, pack {pack}", []).append(rate)
        first = first or accuracy
        found[f"largest difference in accuracy, pack {pack}"] = round(
            max(abs(one - other) for one, other in zip(accuracy, first, strict=True)), 4
        )
    return found


def stock_seconds(
    some: Sequence[Architecture], train: Part, held_out: Part, epochs: int, device: str
) -> float:
    """What the stock loop takes for one of these: its first epoch, and the others like a second."""
    took = 0.0
    for one in some:
        stock = Stock(one, train, held_out, recipe_on(device, epochs=epochs), device)
        stock.begin(0)
        for count in (1, epochs - 1)[:epochs]:
            start = time.perf_counter()
            stock.epoch()
            stock.accuracy()
            took += count * (time.perf_counter() - start)
    return took / len(some)


def recipe_on(device: str, **changes: Any) -> Recipe:
    return Recipe(batch_size=BATCH[torch.device(device).type], **changes)


def make_trainer(train: Part, held_out: Part, recipe: Recipe, device: str) -> TorchTrainer:
    return TorchTrainer(train, held_out, CLASSES, recipe, flip=True, crop=True, device=device)


def settled_precision(train: Part, held_out: Part, device: str) -> Precision:
    """That in which a study trains on the device; on a CPU some steps of the networks tell."""
    trainer = make_trainer(train, held_out, recipe_on(device), device)
    return trainer.settle_precision(networks()) if device == "cpu" else trainer.recipe.precision


def ignore(_: Epoch) -> None:
    """Hears nothing."""


def spread(ratios: NDArray[np.float64]) -> dict[str, float]:
    low, middle, high = np.quantile(ratios, [0.1, 0.5, 0.9])
    return {"median": round(middle, 3), "q10": round(low, 3), "q90": round(high, 3)}


# ---------------------------------------------------------------- the whole


def machine(device: str) -> str:
    cores = torch.get_num_threads()
    name = torch.cuda.get_device_name() if device != "cpu" else processor()
    return f"{name}, {cores} CPU threads, torch {torch.__version__.split('+')[0]}"


def processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        return next(line.partition(": ")[2] for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor()


def commit() -> str:
    command = ["git", "describe", "--always", "--dirty"]
    try:
        found = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)
    except OSError:
        return ""
    return found.stdout.strip()


def measure(
    arguments: argparse.Namespace,
    say: Callable[[str], None],
    keep: Callable[[dict[str, Any]], None],
) -> None:
    """Everything asked for, in groups; `keep` has all figures so far after each."""
    device, short = arguments.device, arguments.short
    on_gpu = device != "cpu"
    images = (20_000, 5_000) if on_gpu else (1_024, 512) if short else (1_536, 768)
    train, held_out = read_images(arguments.data, *images)
    precision = settled_precision(train, held_out, device)
    results: dict[str, Any] = {
        "machine": machine(device),
        "date": datetime.now(UTC).date().isoformat(),
        "commit": commit(),
        "images": f"{images[0]} of {'CIFAR-10' if arguments.data else 'blurred noise'}",
        "precision": precision,
        "stock transforms": "torchvision" if has_torchvision() else "the same by hand, on PIL",
        "stock evaluation": "by as many loading processes as training",
    }
    if on_gpu:
        reason = why_not(torch.device(device))
        results["layers"] = "mbnas's own" if reason is None else f"torch's own ({reason})"
    for name, architecture in zip(NAMES, networks(), strict=True):
        if "speed" in arguments.parts:
            say(f"speed of the {name} network")
            rounds = 2 if short else 4
            found = speed(architecture, train, held_out, rounds, device, precision)
            results.setdefault(f"{name} network", {}).update(found)
            keep(results)
        if "accuracy" in arguments.parts:
            say(f"accuracy of the {name} network")
            seeds, epochs = (2, 2) if short else (3, 2) if on_gpu else (3, 3)
            recipe = recipe_on(device, epochs=epochs, precision=precision)
            found = accuracies(architecture, train, held_out, seeds, recipe, device)
            results.setdefault(f"{name} network", {}).update(found)
            keep(results)
    if "packing" in arguments.parts:
        say("packing")
        count, epochs = (16, 4) if on_gpu else (4, 1) if short else (6, 1)
        found = results["packing"] = {}
        recipe = recipe_on(device, epochs=epochs, precision=precision)
        packed(train, held_out, count, recipe, device, found, lambda: keep(results))
        keep(results)
    if "memory" in arguments.parts and arguments.data is not None and not on_gpu:
        say("memory")
        results["memory"] = memory(arguments.data.resolve())
    if on_gpu:
        results["peak GPU memory, GB"] = round(torch.cuda.max_memory_allocated() / 1e9, 2)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    results["peak memory of this process, GB"] = round(peak, 2)
    keep(results)


def has_torchvision() -> bool:
    return torchvision_transform(32, (0.5,) * 3, (0.5,) * 3, augment=False) is not None


def as_table(results: dict[str, Any]) -> str:
    """Markdown, one section for each group of figures."""
    head = [f"- {key}: {value}" for key, value in results.items() if not isinstance(value, dict)]
    parts = ["# Training: what was measured\n", *head]
    for name, found in results.items():
        if isinstance(found, dict):
            parts += [f"\n## {name}\n", "| quantity | value |", "|---|---|"]
            parts += [f"| {key} | {written(value)} |" for key, value in found.items()]
    return "\n".join(parts) + "\n"


def written(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key} {item:.4g}" for key, item in value.items())
    if isinstance(value, list):
        return ", ".join(map(str, value))
    return f"{value:,}" if isinstance(value, int) else str(value)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, help="CIFAR-10 as a zip or tar of class folders")
    parser.add_argument("--out", type=Path, help="folder for results.json and table.md")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--short", action="store_true", help="some minutes")
    parser.add_argument(
        "--parts",
        nargs="*",
        default=["speed", "accuracy", "packing", "memory"],
        help="those of an earlier run that are not named stay as they are in --out",
    )
    arguments = parser.parse_args()
    file = None if arguments.out is None else arguments.out / "results.json"
    before = json.loads(file.read_text()) if file is not None and file.exists() else {}
    table = ""

    def keep(results: dict[str, Any]) -> None:
        nonlocal table
        for found in results.values():
            if isinstance(found, dict):
                found["commit"] = results["commit"]
        # A network's speed and accuracy are two parts; all else is of one run.
        both = {key: before.get(key, {}) | results[key] for key in results if "network" in key}
        merged = before | results | both
        table = as_table(merged)
        if file is not None:
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(json.dumps(merged, indent=1) + "\n")
            file.with_name("table.md").write_text(table)

    measure(arguments, lambda text: print(text, file=sys.stderr, flush=True), keep)
    print(table)


if __name__ == "__main__":
    main()
