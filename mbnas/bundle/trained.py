"""What is exported: a trained network with all that is known of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load_file

from mbnas.data import PartName
from mbnas.errors import ExportError
from mbnas.measure.latency import Latency
from mbnas.measure.onnx_file import random_weights
from mbnas.network import Architecture
from mbnas.search import Study, Trial
from mbnas.training.recipe import Recipe

Weights = Mapping[str, NDArray[Any]]


@dataclass(frozen=True, slots=True)
class Accuracy:
    """An accuracy on one part of the data.

    Attributes:
        exported: Of the weights that are exported.
        mean: Over all trainings of the network.
        deviation: Their standard deviation; None of a single one.
        runs: Trainings.
    """

    exported: float
    mean: float
    deviation: float | None = None
    runs: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainedNetwork:
    """One network, ready to be exported.

    Attributes:
        study: Whose images, classes, host and versions it has.
        trial: In which it was found.
        architecture: The network.
        weights: Its state dict as arrays.
        origin: Where it comes from, a few words.
        accuracies: By the part of the data; a part that was not opened is not there.
        latency: As recorded; None where it was not measured.
        recipe: How it was trained.
        remark: What one should know of its accuracies, a sentence.
    """

    study: Study
    trial: Trial
    architecture: Architecture
    weights: Weights
    origin: str
    accuracies: Mapping[PartName, Accuracy]
    latency: Latency | None
    recipe: Recipe
    remark: str

    @property
    def place(self) -> str:
        """Where an error about it points."""
        return f"{self.study.folder.path}: trial {self.trial.number}"

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of its classes."""
        return self.study.record.data.classes

    @property
    def decoded_resolution(self) -> int:
        """Pixels at which the study's images are kept."""
        return self.study.space.resolutions[-1]


def network_of_trial(study: Study, trial: Trial) -> TrainedNetwork:
    """The network of a study's trial, as its brief training left it.

    Raises:
        StudyError: the trial whose result it reuses is gone.
        ExportError: its weights are gone or damaged, or it is none of the study's.
    """
    if trial.reused_from is not None:
        trial = study.trial(trial.reused_from)  # whose weights they are
    decoded, resolution = study.space.resolutions[-1], trial.architecture.resolution
    if resolution > decoded:
        raise ExportError(
            f"{study.folder.path}: trial {trial.number}: damaged: its resolution, {resolution},"
            f" is above the {decoded} pixels at which the study's images are kept"
        )
    mend = "weights are kept for the front and the last ten trials alone"
    if trial.known_from is not None:
        mend = f"{trial.known_from} kept them no longer; mbnas confirm trains the network anew"
    weights = read_weights(
        study.folder.weights_file(trial.number),
        trial.architecture,
        study.record.data.classes,
        mend,
    )
    accuracy = trial.accuracy or 0.0
    return TrainedNetwork(
        study=study,
        trial=trial,
        architecture=trial.architecture,
        weights=weights,
        origin=f"trial {trial.number} of the study {study.record.name}",
        accuracies={"validation": Accuracy(accuracy, accuracy)},
        latency=trial.latency,
        recipe=study.record.recipe,
        remark=(
            f"The network was chosen by its validation accuracy among {len(study.trials)} trials,"
            " so that figure flatters it a little. The training was brief, meant for ranking"
            " networks; trained longer, it should do better."
        ),
    )


def read_weights(
    file: Path, architecture: Architecture, classes: tuple[str, ...], mend: str
) -> Weights:
    """The weights of a network in a file.

    Raises:
        ExportError: it is gone, to which `mend` says more, or damaged.
    """
    if not file.exists():
        raise ExportError(f"{file}: missing; {mend}")
    try:
        weights = load_file(file)
    except (SafetensorError, OSError, LookupError, TypeError, ValueError) as error:
        raise ExportError(f"{file}: damaged ({' '.join(str(error).split())})") from None
    fresh = random_weights(architecture.lower(len(classes)))
    for name in sorted(fresh.keys() | weights.keys()):
        mine, theirs = (_kind(held.get(name)) for held in (fresh, weights))
        if mine != theirs:
            raise ExportError(f"{file}: damaged: {name} is {theirs}, its network's is {mine}")
    return weights


def _kind(array: NDArray[Any] | None) -> str:
    return "missing" if array is None else f"{array.dtype} {array.shape}"
