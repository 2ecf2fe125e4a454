"""What `mbnas search --dry-run` says: what would run, and about how long."""

from __future__ import annotations

import argparse
from pathlib import Path

import mbnas
from mbnas.cli.progress import progress
from mbnas.cli.words import duration
from mbnas.search import Budget, is_paid
from mbnas.search.folder import StudyFolder
from mbnas.search.ledger import begun_epochs
from mbnas.search.storage import open_optuna_study
from mbnas.search.storage_url import chosen_storage, recorded_storage


def dry_run(
    search: mbnas.Search, folder: Path, trials: int | None, arguments: argparse.Namespace
) -> None:
    """Tries some networks for a moment, and says how long the search would take.

    Args:
        search: What would run.
        folder: The study's, which may be there already.
        trials: That are wanted in all; None where another bound ends it.
        arguments: Of the command.
    """
    Budget(trials, arguments.budget, arguments.epochs_total)  # refuses what the search would
    place = StudyFolder(folder)
    place.check_place()
    data, space = search.data, search.space
    epochs, is_new = arguments.epochs_total, not place.exists
    if not is_new:
        trials, epochs = _left(folder, trials, epochs, arguments.storage)
    with progress(search) as observer:
        if search.goals.limits:
            observer.limits_to_check(search.goals.limits)
        for found in search.feasibility():
            observer.limit_checked(found)
            if is_new:  # a study that goes on was looked at when it was made
                found.check()
        estimate = search.estimate(observer=observer)
    sizes = ", ".join(f"{size:,} {name}" for name, size in data.sizes.items())
    print(f"space     {space.name}: {space.size:,} points, {len(space.choices)} choices")
    print(f"data      {data.spec}: {len(data.classes)} classes; {sizes} (test stays unopened)")
    stops = ", ".join(str(stop) for stop in search.recipe.stops[:-1])
    looked = (
        f"; hopeless ones are stopped at {stops}" if stops and not arguments.no_stopping else ""
    )
    print(f"training  {search.recipe.epochs} epochs{looked}")
    if arguments.start:
        print(f"first     {', '.join(arguments.start)}")
    if arguments.reuse:
        print(f"known     what {', '.join(map(str, arguments.reuse))} trained is taken over")
    print(f"tried     {estimate.networks} networks for a moment:")
    print("          latency {:.2f} to {:.2f} ms".format(*estimate.latency_ms))
    print("          training about {:.0f} to {:.0f} s each".format(*estimate.training_seconds))
    each = estimate.trial_seconds
    if trials is not None:
        print(f"would run {trials} trials, at most about {duration(trials * each)}, in {folder}")
    if arguments.budget is not None:
        count = f"at least about {arguments.budget / each:.0f} trials"
        print(f"would run {duration(arguments.budget)}, {count}, in {folder}")
    if epochs is not None:
        whole = epochs / search.recipe.epochs
        print(f"would run {epochs} epochs, as of {whole:.0f} trials, in {folder}")


def _left(
    folder: Path, trials: int | None, epochs: int | None, storage: str | None
) -> tuple[int | None, int | None]:
    """Trials and epochs in all, without those that a study has spent; says how many trials."""
    study = mbnas.open_study(folder)
    done = [trial for trial in study.trials if is_paid(trial)]
    print(f"goes on   {folder} has {len(done)} evaluated trials, which count")
    if epochs is not None:
        spent = sum(len(trial.curve) for trial in done) + _laid_down(study, storage)
        epochs = max(0, epochs - spent)
    return None if trials is None else max(0, trials - len(done)), epochs


def _laid_down(study: mbnas.Study, storage: str | None) -> int:
    """Epochs of trials that are not at their end; only the study's database knows them."""
    folder, record = study.folder, study.record
    chosen = chosen_storage(storage, record)
    # A database that is not there yet would be made.
    if recorded_storage(chosen) != record.storage or not (chosen or folder.database.exists()):
        return 0
    ended = {trial.number for trial in study.trials}
    begun = begun_epochs(open_optuna_study(folder, record, storage))
    return sum(epochs for number, epochs in begun.items() if number not in ended)
