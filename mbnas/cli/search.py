"""mbnas search: search for networks that are accurate and fast."""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

import mbnas
from mbnas.cli.doctor import check_address
from mbnas.cli.dry_run import dry_run
from mbnas.cli.options import read_data, read_recipe
from mbnas.cli.progress import progress
from mbnas.cli.words import front_table, goes_on_with, savings_said
from mbnas.measure.calibration import calibrated_classes
from mbnas.measure.networks import architecture_in
from mbnas.search import is_paid

FULL_SIZE = 128
"""Pixels from which a reference network keeps all its strides and still ends on a 4×4 map."""
MANY, MOSTLY = 30, 0.8
"""Of so many networks, the share that is stopped from which on it is said."""


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
