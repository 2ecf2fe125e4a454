"""mbnas search: search for networks that are accurate and fast."""

from __future__ import annotations

import argparse
import re
from dataclasses import replace
from pathlib import Path

import mbnas
from mbnas.cli.doctor import check_address
from mbnas.cli.dry_run import dry_run
from mbnas.cli.options import add_data, add_training, epochs, limit, read_data, read_recipe
from mbnas.cli.progress import progress
from mbnas.cli.words import front_table, goes_on_with, savings_said
from mbnas.measure.calibration import calibrated_classes
from mbnas.measure.networks import architecture_in
from mbnas.search import DEFAULT_SAMPLER, SAMPLERS, is_paid

_EPILOG = """\
examples:
  mbnas search digits_tiny --data digits --trials 20 --epochs 6
  mbnas search search_spaces/cifar_mobile.toml --data folder:photos --study studies/photos \\
      --trials 40 --epochs 3 --limit latency_ms=2
  mbnas search cifar_mobile --data folder:cifar10.zip --subset 3000 --budget 2h --dry-run
  mbnas search cifar_mobile --data folder:photos --recipe recipe.toml --maximize balanced_accuracy
  mbnas search cifar_mobile --data folder:photos --study studies/faster --limit latency_ms=1 \\
      --start mobilenet_v2 --start bundle/architecture.json --reuse studies/photos
  mbnas search cifar_mobile --data folder:photos --engine workers --trial-timeout 30m
  mbnas search cifar_mobile --data folder:photos --engine ray --address auto --batch 16
  MBNAS_STORAGE=postgresql+psycopg://me:secret@dbhost/nas \\
      mbnas search cifar_mobile --data folder:photos --study studies/photos

LIMIT  latency_ms=2, params=1e6, macs=5e7, size_bytes=4e6: networks above it are not trained.

Networks that even with luck would not raise the front are not trained, or stopped at a rung.

The study's folder keeps everything. At the first Ctrl-C, what is trained ends its epoch; at the
second, the search ends at once. Nothing is lost, and the same command goes on.
"""
FULL_SIZE = 128
"""Pixels from which a reference network keeps all its strides and still ends on a 4×4 map."""
MANY, MOSTLY = 30, 0.8
"""Of so many networks, the share that is stopped from which on it is said."""
_UNITS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the verb's arguments."""
    parser.epilog = _EPILOG
    parser.add_argument("file", metavar="FILE", help="search-space file, or a shipped space's name")
    parser.add_argument("--study", type=Path, help="study folder (default studies/NAME)")
    budget = parser.add_argument_group("budget (default 40 trials)")
    budget.add_argument("--trials", type=int, help="networks to evaluate in all")
    budget.add_argument(
        "--budget",
        type=_seconds,
        metavar="TIME",
        help="such as 90s, 30m, 2h; what is trained then goes on to its next rung, up to half a"
        " training",
    )
    budget.add_argument(
        "--epochs-total", type=int, metavar="N", help="epochs to train in all, of all networks"
    )
    goals = parser.add_argument_group("goals")
    goals.add_argument(
        "--maximize",
        default="accuracy",
        metavar="QUALITY",
        help="accuracy, or balanced_accuracy for uneven classes",
    )
    goals.add_argument(
        "--minimize", default="latency_ms", metavar="COST", help="beside it (latency_ms)"
    )
    goals.add_argument(
        "--limit", type=limit, action="append", default=[], help="hard bound, see below"
    )
    goals.add_argument("--threads", type=int, default=1, help="of a timed network (default 1)")
    goals.add_argument(
        "--sampler",
        default=DEFAULT_SAMPLER,
        help=f"{', '.join(SAMPLERS)} (default {DEFAULT_SAMPLER})",
    )
    goals.add_argument("--seed", type=int, default=0, help="of everything drawn (default 0)")
    add_data(parser)
    add_training(parser, epochs="for each network (default 5; more where images are few)")
    parser.add_argument(
        "--rungs",
        type=epochs,
        metavar="N,...",
        help="epochs after which a hopeless trial is stopped (default a quarter and half of all)",
    )
    parser.add_argument(
        "--no-stopping", action="store_true", help="train every network that meets the limits"
    )
    parser.add_argument(
        "--warm-start", action="store_true", help="begin with the weights of a similar network"
    )
    parser.add_argument(
        "--start",
        action="append",
        default=[],
        metavar="NETWORK",
        help="evaluate first: an architecture.json or a reference, made for small images where"
        " the space is; may be repeated, and need not be of the space",
    )
    parser.add_argument(
        "--reuse",
        action="append",
        default=[],
        type=Path,
        metavar="STUDY",
        help="take over what another study of these images and recipe trained; may be repeated",
    )
    _add_places(parser)
    parser.add_argument(
        "--dry-run",
        action="store_true",
        help="say what would run and about how long; write nothing",
    )
    parser.set_defaults(run=run)


def _add_places(parser: argparse.ArgumentParser) -> None:
    """Where candidates are evaluated, and where the study is kept."""
    places = parser.add_argument_group("engine and storage")
    places.add_argument(
        "--engine",
        default="auto",
        metavar="ENGINE",
        help="local: in this process; workers: processes of this machine, which use all its GPUs;"
        " ray: a cluster; auto, the default: workers where there is a GPU, else local",
    )
    places.add_argument(
        "--address",
        help="with --engine ray: auto, or HOST:PORT of a cluster that this machine belongs to"
        " (default: Ray is started here)",
    )
    places.add_argument(
        "--batch",
        type=int,
        metavar="N",
        help="networks in evaluation at once; the search then depends on the seed and N, not on"
        " who ends first (default with local: as many as there is room for)",
    )
    places.add_argument(
        "--trial-timeout",
        type=_seconds,
        metavar="TIME",
        help="after which the training of a network is given up",
    )
    places.add_argument(
        "--storage",
        metavar="URL",
        help="of a database that Optuna opens, such as postgresql+psycopg://user@host/name"
        " (default: a file in the study's folder; or the variable MBNAS_STORAGE)",
    )
    places.add_argument(
        "--take-over",
        action="store_true",
        help="go on with a study whose search died on another machine",
    )


def run(arguments: argparse.Namespace) -> int:
    """Runs the verb."""
    check_address(arguments)
    space = mbnas.load_space(arguments.file)
    folder = arguments.study or Path("studies") / space.name
    data = read_data(arguments)
    recipe = read_recipe(arguments, data, space)
    if arguments.rungs is not None:
        recipe = replace(recipe, rungs=arguments.rungs)
    search = mbnas.Search(
        space,
        data,
        study=folder,
        objectives=[mbnas.maximize(arguments.maximize), mbnas.minimize(arguments.minimize)],
        limits=arguments.limit,
        sampler=arguments.sampler,
        recipe=recipe,
        stopping=not arguments.no_stopping,
        seed=arguments.seed,
        device=arguments.device,
        threads=arguments.threads,
        predictor=_predictor(arguments, space, len(data.classes)),
        pack=arguments.pack,
        engine=arguments.engine,
        address=arguments.address,
        batch=arguments.batch,
        trial_seconds=arguments.trial_timeout,
        storage=arguments.storage,
        warm_start=arguments.warm_start,
        start=dict(_start(text, space.resolutions[-1]) for text in arguments.start),
        reuse=arguments.reuse,
    )
    trials = arguments.trials
    if trials is arguments.budget is arguments.epochs_total is None:
        trials = 40
    if arguments.dry_run:
        dry_run(search, folder, trials, arguments)
        return 0
    with goes_on_with(folder), progress(search) as observer:
        study = search.run(
            trials,
            arguments.budget,
            observer,
            epochs=arguments.epochs_total,
            take_over=arguments.take_over,
        )
    front_table(study)
    _say_if_mostly_stopped(study)
    print(f"saved:   {savings_said(study.savings)}")
    print(f"report:  mbnas report {folder}")
    print(f"export:  mbnas export {folder} --pick knee")
    return 0


def _say_if_mostly_stopped(study: mbnas.Study) -> None:
    own = [trial for trial in study.trials if is_paid(trial)]
    stopped = sum(trial.status == "stopped" for trial in own)
    if len(own) >= MANY and stopped > MOSTLY * len(own):
        print(
            f"stopped: {stopped} of {len(own)} networks, early; if the front is thin, more --epochs"
            " or images to validate on tell them better apart, and --no-stopping trains them all"
        )


def _start(text: str, resolution: int) -> tuple[str, mbnas.Architecture]:
    """What to call a network to start from, and the network."""
    architecture = architecture_in(Path(text))
    if architecture is not None:
        return text, architecture
    if text.endswith(".json"):
        raise mbnas.StudyError(f"--start {text}: no such file")
    return text, mbnas.reference(text, resolution, small=resolution < FULL_SIZE)


def _predictor(
    arguments: argparse.Namespace, space: mbnas.SearchSpace, classes: int
) -> mbnas.LatencyPredictor | None:
    """What `mbnas calibrate` left for this space and machine; says if it is for other data."""
    calibration = mbnas.find_calibration(space, classes, arguments.threads)
    if calibration is not None:
        return calibration.predictor()
    others = calibrated_classes(space, arguments.threads)
    if others:
        print(
            f"no latency is foreseen: this space was calibrated for {others[0]:,} classes, and here"
            f" are {classes:,}; for these: mbnas calibrate {arguments.file} --classes"
            f" {classes}"
        )
    return None


def _seconds(text: str) -> float:
    match = re.fullmatch(r"([0-9]*\.?[0-9]+)([smhd]?)", text)
    if not match:
        raise argparse.ArgumentTypeError(f"{text}: write a time such as 90s, 30m or 2h")
    return float(match[1]) * _UNITS[match[2]]
