"""Confirming a front: trained fully, with several seeds, timed anew, and only then tested."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from safetensors import SafetensorError
from safetensors.numpy import load_file

from mbnas.analysis.baselines import FOLDER as BASELINES_FOLDER
from mbnas.analysis.confirmation import Confirmation, confirmation
from mbnas.analysis.contenders import Contender, baseline
from mbnas.analysis.contest import Contested, ContestObserver, contest_of_study, contested
from mbnas.analysis.contest_record import RECORD_FILE, ContestRecord
from mbnas.analysis.records import read_file
from mbnas.analysis.study_data import study_data
from mbnas.analysis.test_part import Tester, TorchTester, open_test_part, test_results
from mbnas.data import Dataset
from mbnas.errors import StudyError
from mbnas.measure.host import this_host
from mbnas.measure.latency import FileMeter, OrtLatencyMeter
from mbnas.search import Study
from mbnas.search.front import near_front
from mbnas.training.device import choose_device
from mbnas.training.recipe import Recipe
from mbnas.training.trainer import Trainer, Weights

FOLDER = "confirm"
SEEDS = 3
NEAR = 4
FULL = 6
"""How many times as long as the search's the full training is, if nothing is said."""
ROUNDS = 3


def confirm(
    study: Study,
    *,
    recipe: Recipe | None = None,
    seeds: int = SEEDS,
    near: int = NEAR,
    baselines: Sequence[str] | None = None,
    data: str | None = None,
    device: str | None = None,
    pack: int | None = None,
    trainer: Trainer | None = None,
    meter: FileMeter | None = None,
    tester: Callable[[], Tester] | None = None,
    observer: ContestObserver | None = None,
) -> Confirmation:
    """Trains the front, what is near it and baselines fully with several seeds; then tests them.

    What is broken off goes on, at the epoch, when it is called again; nothing is trained twice,
    but what failed for want of memory or time.
    The test part is opened when every training has ended, and each opening is written down in
    study.json. Networks that have come to the front since then are added.

    Args:
        study: The study.
        recipe: The full training; by default the search's, six times as long.
        seeds: Trainings of each network.
        near: How many networks off the front are trained too: those whose accuracy lies least
            below the front's at their cost.
        baselines: As for `mbnas.baselines`; None takes those that the study has.
        data: Where the study's images are, if they have moved.
        device: Where to train; by default a GPU where there is one.
        pack: Networks trained at once.
        trainer: In place of training with PyTorch by the recipe.
        meter: In place of timing with ONNX Runtime.
        tester: In place of running networks on the test part with PyTorch.
        observer: Hears how it goes.

    Raises:
        StudyError: the study has no front, is being searched, or was confirmed with other
            settings; no such baseline; no network could be trained.
        DataError: the study's images cannot be read, or are others, or have no test part.
    """
    observer = observer or ContestObserver()
    if not study.front:
        raise StudyError(f"{study.folder.path}: has no front yet; let the search finish a trial")
    if seeds < 1 or near < 0:
        raise StudyError(f"seeds = {seeds}, near = {near}: must be at least 1 and 0")
    record = study.record
    if not record.data.sizes["test"]:
        raise StudyError(f"{study.folder.path}: its images have no test part")
    images = study_data(study, data)
    recipe = recipe or record.recipe.with_epochs(FULL * record.recipe.epochs)
    if recipe.epochs < record.recipe.epochs:
        raise StudyError(
            f"{study.folder.path}: confirming with {recipe.epochs} epochs would say less than the"
            f" search, which trained for {record.recipe.epochs}; train for as many at least"
        )
    meter = meter or OrtLatencyMeter(record.threads)
    contest = contest_of_study(
        study,
        FOLDER,
        images,
        recipe=recipe,
        seeds=range(seeds),
        rounds=ROUNDS,
        host=this_host(meter.threads).fingerprint,
        trainer=trainer,
        meter=meter,
        device=device,
        keep_weights=True,
        pack=pack,
        observer=observer,
    )
    with study.folder.locked():
        found = contest.run([*_own(study, near), *_baselines(study, baselines)])
        _check_trained(found, contest.folder)
        _test(study, found, tester or partial(_tester, study, images, device, observer), observer)
    confirmed = open_confirmation(study)
    assert confirmed is not None
    return confirmed


def open_confirmation(study: Study) -> Confirmation | None:
    """The confirmation of a study's front; None until it has come to its end for the first time.

    Of one that goes on, all networks that are tested or have failed, and which are still missing.

    Raises:
        StudyError: its files are damaged.
    """
    folder = study.folder.path / FOLDER
    if not (folder / RECORD_FILE).exists():
        return None
    record = read_file(ContestRecord, folder / RECORD_FILE)
    found = contested(folder, study.record.seed, len(study.record.data.classes))
    tested = test_results(folder)
    if tested is None:
        return None
    known = [one for one in found if one.failure is not None or tested.has(one.weights)]
    there = {(one.contender.id, one.contender.trial) for one in known}
    everyone = [one.contender() for one in record.contenders]
    missing = [one for one in everyone if (one.id, one.trial) not in there]
    images = record.telling_images(
        study.record.data.sizes["validation"], study.record.goals.quality
    )
    return confirmation(study, known, tested, record.recipe, record.seeds, missing, images)


def _own(study: Study, near: int) -> list[Contender]:
    others = near_front(study.trials, study.record.goals, near)
    return [Contender.of(trial) for trial in (*study.front, *others)]


def _baselines(study: Study, texts: Sequence[str] | None) -> list[Contender]:
    if texts is not None:
        return [baseline(text, study.space.resolutions[-1]) for text in texts]
    file = study.folder.path / BASELINES_FOLDER / RECORD_FILE
    if not file.exists():
        return []
    return [one.contender() for one in read_file(ContestRecord, file).contenders]


def _check_trained(found: Sequence[Contested], folder: Path) -> None:
    if all(one.failure is not None for one in found):
        may_pass = any(run.may_pass for one in found for run in one.runs)
        then = "repeat the command" if may_pass else "move the folder away to begin anew"
        raise StudyError(
            f"{folder}: a training of every network failed ({found[0].failure}); mend that, and"
            f" {then}"
        )


def _names(found: Sequence[Contested]) -> dict[str, tuple[Contested, Path]]:
    """The trainings that went well, by their names, with where their weights are."""
    return {file.stem: (one, file) for one in found if one.failure is None for file in one.weights}


def _test(
    study: Study,
    found: Sequence[Contested],
    tester: Callable[[], Tester],
    observer: ContestObserver,
) -> None:
    open_test_part(
        study.folder.path / FOLDER,
        {
            name: (one.contender.network, partial(_weights, file))
            for name, (one, file) in _names(found).items()
        },
        tester,
        partial(_log, study),
        observer.testing,
    )


def _log(study: Study, opening: str) -> None:
    """Writes an opening of the test part down in study.json."""
    record, _ = study.folder.read()
    openings = (*record.test_openings, opening)
    study.folder.write_record(record.model_copy(update={"test_openings": openings}))


def _tester(
    study: Study, images: Dataset, device: str | None, observer: ContestObserver
) -> TorchTester:
    normalisation = study.record.data.normalisation
    if normalisation is None:
        raise StudyError(f"{study.folder.path}: was searched without real training")
    resolution = study.space.resolutions[-1]
    return TorchTester(
        images, resolution, normalisation, choose_device(device), observer.images_decoded
    )


def _weights(file: Path) -> Weights:
    try:
        weights: Weights = load_file(file)
    except (SafetensorError, OSError, ValueError) as error:
        raise StudyError(
            f"{file}: cannot be read ({' '.join(str(error).split())}); delete it and the .json"
            " beside it to train again"
        ) from None
    return weights
