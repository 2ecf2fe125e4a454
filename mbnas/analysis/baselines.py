"""Published networks, and a random search, trained and timed exactly as a study's trials are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from mbnas.analysis.contenders import USUAL, baseline
from mbnas.analysis.contest import (
    TIMED,
    Contested,
    ContestObserver,
    contest_of_study,
    contested,
    interval_error,
)
from mbnas.analysis.contest_record import RECORD_FILE, ContestRecord
from mbnas.analysis.records import read_file
from mbnas.analysis.study_data import study_data
from mbnas.analysis.uncertainty import Draws, accuracy_draws, cost_draws
from mbnas.analysis.versus import Standing, Versus, versus
from mbnas.errors import StudyError
from mbnas.measure.host import this_host
from mbnas.measure.latency import AnyMeter, OrtLatencyMeter
from mbnas.search import Observer, Search, Study, Trial, maximize, minimize, open_study
from mbnas.search.objectives import Goals
from mbnas.search.savings import is_paid
from mbnas.training.trainer import Trainer

FOLDER = "baselines"
RANDOM_FOLDER = "random"
_Measured = tuple[Standing, float]
"""A network, and the standard error of its cost."""


@dataclass(frozen=True, slots=True)
class Baselines:
    """The baselines of a study, and its front against them.

    Attributes:
        networks: The baselines; those whose training failed too.
        versus: The front against those that were trained; None where there are none, or no front.
        random: The study of the random search; None where there was none.
        versus_random: The front against that search's.
    """

    networks: tuple[Contested, ...]
    versus: Versus | None
    random: Study | None
    versus_random: Versus | None


def baselines(
    study: Study,
    networks: Sequence[str] = USUAL,
    *,
    random: bool = False,
    data: str | None = None,
    device: str | None = None,
    pack: int | None = None,
    trainer: Trainer | None = None,
    meter: AnyMeter | None = None,
    observer: ContestObserver | None = None,
    search_observer: Observer | None = None,
) -> Baselines:
    """Trains and times baselines as the trials of a study were, and holds its front against them.

    What is broken off goes on, at the epoch, when it is called again; baselines of earlier calls
    stay, once they are begun.

    Args:
        study: The study; its largest resolution is the baselines' too.
        networks: Reference networks with a factor of their widths, `mobilenet_v2@0.35`, or
            `torchvision:resnet18`.
        random: Whether to search at random too, with as many epochs as the study has spent.
        data: Where the study's images are, if they have moved.
        device: Where to train; by default a GPU where there is one.
        pack: Networks trained at once.
        trainer: In place of training with PyTorch by the study's recipe.
        meter: In place of timing with ONNX Runtime; it times files too.
        observer: Hears how it goes.
        search_observer: Hears how the random search goes.

    Raises:
        StudyError: no such network; the study was timed on another machine; or the folder is in
            use.
        DataError: the study's images cannot be read, or are others.
    """
    observer = observer or ContestObserver()
    record = study.record
    meter = meter or _same_meter(study)
    resolution = study.space.resolutions[-1]
    contenders = [baseline(text, resolution) for text in networks]
    images = study_data(study, data)
    contest_of_study(
        study,
        FOLDER,
        images,
        recipe=record.recipe,
        seeds=(),
        rounds=1,
        host=record.host.fingerprint,
        trainer=trainer,
        meter=meter,
        device=device,
        keep_weights=False,
        pack=pack,
        observer=observer,
    ).run(contenders)
    if random:
        goals = record.goals
        Search(
            study.space,
            images,
            study=study.folder.path / FOLDER / RANDOM_FOLDER,
            objectives=[maximize(goals.quality), minimize(goals.cost)],
            limits=goals.limits,
            sampler="random",
            recipe=record.recipe,
            seed=record.seed + 1,  # else it would begin with the study's own first networks
            device=device,
            threads=record.threads,
            trainer=trainer,
            meter=meter,
            pack=pack,
            storage="",  # beside the study: in a database every such search would have one name
            stopping=False,
            warm_start=record.warm_start,
        ).run(epochs=max(1, _epochs(study)), observer=search_observer)
    found = open_baselines(study)
    assert found is not None
    return found


def open_baselines(study: Study) -> Baselines | None:
    """The baselines that a study has, as far as they have come; None where there are none.

    Raises:
        StudyError: their files are damaged.
    """
    folder = study.folder.path / FOLDER
    if not (folder / RECORD_FILE).exists():
        return None
    data, goals = study.record.data, study.record.goals
    record = read_file(ContestRecord, folder / RECORD_FILE)
    found = contested(folder, study.record.seed, len(data.classes))
    images = record.telling_images(data.sizes["validation"], goals.quality)
    theirs = [_standing_of(one, goals) for one in found if one.failure is None]
    random = folder / RANDOM_FOLDER
    searched = open_study(random) if (random / "study.json").exists() else None
    drawn = [] if searched is None else [_standing(one, goals) for one in searched.front]
    return Baselines(
        tuple(found), _versus(study, theirs, images), searched, _versus(study, drawn, images)
    )


def _versus(study: Study, theirs: Sequence[_Measured], images: float) -> Versus | None:
    """The study's front against others; how sure that is, by the images and by the timing."""
    if not study.front or not theirs:
        return None
    record = study.record
    mine = [_standing(trial, record.goals) for trial in study.front]
    every = [one for one, _ in (*mine, *theirs)]
    draws = Draws(
        accuracy_draws([[one.accuracy] for one in every], images=images),
        cost_draws([one.cost for one in every], [error for _, error in (*mine, *theirs)]),
    )
    return versus(every[: len(mine)], every[len(mine) :], draws, record.reference)


def _standing(trial: Trial, goals: Goals) -> _Measured:
    accuracy, cost = trial.value(goals.quality), trial.value(goals.cost)
    assert accuracy is not None  # of a front's member both are known
    assert cost is not None
    latency = trial.latency
    is_timed = latency is not None and goals.cost in TIMED
    error = interval_error(latency) if is_timed and latency is not None else 0.0
    return Standing(f"trial {trial.number}", accuracy, cost), error


def _standing_of(one: Contested, goals: Goals) -> _Measured:
    (accuracy,) = one.qualities(goals.quality)
    return Standing(one.contender.name, accuracy, one.cost(goals.cost)), one.cost_error(goals.cost)


def _epochs(study: Study) -> int:
    """What the study's trainings took, and those that other studies knew, each once.

    What was known stands on the front like all else, and somebody paid for it.
    """
    own = sum(len(trial.curve) for trial in study.trials if is_paid(trial))
    known = {
        trial.architecture.id: len(trial.curve)
        for trial in study.trials
        if trial.known_from is not None
    }
    return own + sum(known.values())


def _same_meter(study: Study) -> OrtLatencyMeter:
    """A meter whose latencies belong beside the study's."""
    there, here = study.record.host, this_host(study.record.threads)
    if (there.cpu, there.onnxruntime) != (here.cpu, here.onnxruntime):
        raise StudyError(
            f"{study.folder.path}: was timed on {there.cpu} with ONNX Runtime {there.onnxruntime},"
            f" this is {here.cpu} with {here.onnxruntime}: baselines would not compare; run it"
            " there, or confirm the front, which times all networks anew"
        )
    return OrtLatencyMeter(study.record.threads)
