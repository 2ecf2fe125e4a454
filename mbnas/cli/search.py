"""mbnas search: search for networks that are accurate and fast."""

from __future__ import annotations

import argparse
import re
from pathlib import Path

import mbnas
from mbnas.cli import INTERRUPTED
from mbnas.cli.progress import progress
from mbnas.cli.words import duration, front_table

_EPILOG = """\
examples:
  mbnas search digits_tiny --data digits --trials 20 --epochs 6
  mbnas search search_spaces/cifar_mobile.toml --data folder:photos --study studies/photos \\
      --trials 40 --epochs 3 --limit latency_ms=2
  mbnas search cifar_mobile --data folder:cifar10.zip --subset 3000 --budget 2h --dry-run

DATA   digits                scikit-learn's handwritten digits, nothing to download
       folder:PATH           a folder or zip of class folders, under train/ and test/ or not
       NAME:ROOT             a torchvision data set that lies in ROOT, such as cifar10:data
LIMIT  latency_ms=2, params=1e6, macs=5e7, size_bytes=4e6: networks above it are not trained.

The study's folder keeps everything. Ctrl-C is safe at any time: the same command goes on.
"""
_UNITS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the verb's arguments."""
    parser.epilog = _EPILOG
    parser.add_argument("file", metavar="FILE", help="search-space file, or a shipped space's name")
    parser.add_argument("--data", required=True, metavar="DATA", help="the images, see below")
    parser.add_argument("--study", type=Path, help="study folder (default studies/NAME)")
    budget = parser.add_argument_group("budget (default 40 trials)")
    budget.add_argument("--trials", type=int, help="networks to evaluate in all")
    budget.add_argument("--budget", type=_seconds, metavar="TIME", help="such as 90s, 30m, 2h")
    goals = parser.add_argument_group("goals")
    goals.add_argument(
        "--minimize", default="latency_ms", metavar="COST", help="beside accuracy (latency_ms)"
    )
    goals.add_argument(
        "--limit", type=_limit, action="append", default=[], help="hard bound, see below"
    )
    goals.add_argument("--threads", type=int, default=1, help="of a timed network (default 1)")
    goals.add_argument("--sampler", default="nsga2", help="nsga2, tpe or random (default nsga2)")
    goals.add_argument("--seed", type=int, default=0, help="of everything drawn (default 0)")
    images = parser.add_argument_group("images")
    images.add_argument("--subset", type=int, metavar="N", help="use N images for the search")
    images.add_argument(
        "--validation", type=float, default=0.2, metavar="SHARE", help="held out (default 0.2)"
    )
    images.add_argument("--no-flip", action="store_true", help="mirrored images are not the same")
    training = parser.add_argument_group("training")
    training.add_argument("--epochs", type=int, help="for each network (default 5)")
    training.add_argument("--batch-size", type=int, help="by default chosen by the images' number")
    training.add_argument("--learning-rate", type=float, help="peak, at batch size 256")
    training.add_argument("--device", help="cpu, cuda, ... (default a GPU where there is one)")
    parser.add_argument(
        "--dry-run",
        action="store_true",
        help="say what would run and about how long; write nothing",
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Runs the verb."""
    space = mbnas.load_space(arguments.file)
    folder = arguments.study or Path("studies") / space.name
    data = mbnas.load_data(
        arguments.data,
        seed=arguments.seed,
        validation=arguments.validation,
        subset=arguments.subset,
    )
    for one, other in data.duplicates:
        print(f"note: {one} and {other} are the same image in two parts")
    search = mbnas.Search(
        space,
        data,
        study=folder,
        objectives=[mbnas.maximize("accuracy"), mbnas.minimize(arguments.minimize)],
        limits=arguments.limit,
        sampler=arguments.sampler,
        recipe=_recipe(arguments),
        seed=arguments.seed,
        device=arguments.device,
        threads=arguments.threads,
        predictor=_predictor(space, len(data.classes), arguments.threads),
    )
    trials = arguments.trials
    if trials is None and arguments.budget is None:
        trials = 40
    if arguments.dry_run:
        _dry_run(search, folder, trials, arguments.budget)
        return 0
    try:
        with progress(search.recipe.epochs) as observer:
            study = search.run(trials, arguments.budget, observer)
    except KeyboardInterrupt:
        print(f"stopped; nothing is lost. The same command goes on with {folder}")
        return INTERRUPTED
    front_table(study)
    print(f"report:  mbnas report {folder}")
    print(f"export:  mbnas export {folder} --pick knee")
    return 0


def _predictor(
    space: mbnas.SearchSpace, classes: int, threads: int
) -> mbnas.LatencyPredictor | None:
    """What `mbnas calibrate` left for this space and machine."""
    calibration = mbnas.find_calibration(space, classes, threads)
    return None if calibration is None else calibration.predictor()


def _recipe(arguments: argparse.Namespace) -> mbnas.Recipe:
    given = {
        "epochs": arguments.epochs,
        "batch_size": arguments.batch_size,
        "learning_rate": arguments.learning_rate,
        "flip": False if arguments.no_flip else None,
    }
    return mbnas.Recipe(**{key: value for key, value in given.items() if value is not None})


def _dry_run(search: mbnas.Search, folder: Path, trials: int | None, seconds: float | None) -> None:
    data, space = search.data, search.space
    if (folder / "study.json").exists():
        done = [trial for trial in mbnas.open_study(folder).trials if trial.status != "reused"]
        print(f"goes on   {folder} has {len(done)} evaluated trials, which count")
        trials = None if trials is None else max(0, trials - len(done))
    with progress(search.recipe.epochs) as observer:
        if search.goals.limits:
            observer.limits_to_check(search.goals.limits)
        for found in search.feasibility():
            observer.limit_checked(found)
        estimate = search.estimate(observer=observer)
    sizes = ", ".join(f"{size:,} {name}" for name, size in data.sizes.items())
    print(f"space     {space.name}: {space.size:,} points, {len(space.choices)} choices")
    print(f"data      {data.spec}: {len(data.classes)} classes; {sizes} (test stays unopened)")
    print(f"training  {search.recipe.epochs} epochs")
    print(f"tried     {estimate.networks} networks for a moment:")
    print("          latency {:.2f} to {:.2f} ms".format(*estimate.latency_ms))
    print("          training about {:.0f} to {:.0f} s each".format(*estimate.training_seconds))
    each = estimate.trial_seconds
    if trials is not None:
        print(f"would run {trials} trials, about {duration(trials * each)}, in {folder}")
    if seconds is not None:
        print(f"would run {duration(seconds)}, about {seconds / each:.0f} trials, in {folder}")


def _limit(text: str) -> mbnas.Limit:
    match = re.fullmatch(r"(\w+)\s*<?=\s*([0-9.eE+-]+)", text)
    try:
        if match:
            return mbnas.Limit(match[1], float(match[2]))
    except (ValueError, mbnas.StudyError) as error:
        raise argparse.ArgumentTypeError(str(error)) from None
    raise argparse.ArgumentTypeError(f"{text}: write a cost and a number, such as latency_ms=2")


def _seconds(text: str) -> float:
    match = re.fullmatch(r"([0-9]*\.?[0-9]+)([smhd]?)", text)
    if not match:
        raise argparse.ArgumentTypeError(f"{text}: write a time such as 90s, 30m or 2h")
    return float(match[1]) * _UNITS[match[2]]
