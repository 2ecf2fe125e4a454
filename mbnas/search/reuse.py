"""Trainings of other studies that count here too: the same images, dealt alike, the same recipe."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load_file

from mbnas.errors import StudyError
from mbnas.measure.latency import Latency
from mbnas.search.proposals import Enqueued
from mbnas.search.record import StudyRecord
from mbnas.search.study import Study
from mbnas.search.trial import Trial
from mbnas.space import SearchSpace


@dataclass(frozen=True, slots=True)
class KnownResult:
    """A network's training in another study.

    Attributes:
        study: That study.
        trial: Its trial.
        latency: What was measured there, where that was on the same host and in the same way.
    """

    study: Study
    trial: Trial
    latency: Latency | None

    @property
    def name(self) -> str:
        """Study and trial, in words."""
        return f"{self.study.folder.path}, trial {self.trial.number}"

    def applied_to(self, trial: Trial) -> Trial:
        """A measured trial of the same network, as if it had been trained here."""
        return replace(
            trial,
            status="trained",
            accuracy=self.trial.accuracy,
            curve=self.trial.curve,
        )

    def files(self) -> tuple[dict[str, NDArray[Any]], bytes | None]:
        """Weights and ONNX file, if they are still kept there and whole."""
        file = self.study.folder.weights_file(self.trial.number)
        model = file.with_name("model.onnx")
        try:
            return load_file(file), model.read_bytes() if model.exists() else None
        except (OSError, SafetensorError, ValueError, LookupError, TypeError):
            return {}, None


class KnownResults:
    """The trainings of some studies, by network.

    Args:
        studies: The other studies; the first that trained a network is believed.
        record: The study that they are to serve.
        resolution: At which its images are decoded, in pixels.

    Raises:
        StudyError: a study of other images or another recipe.
    """

    def __init__(self, studies: Sequence[Study], record: StudyRecord, resolution: int) -> None:
        self._by_id: dict[str, KnownResult] = {}
        for study in studies:
            differences = study.record.training_differences(record)
            decoded = study.space.resolutions[-1]
            if decoded != resolution:
                differences.append(f"images decoded at {decoded} pixels there, {resolution} now")
            if differences:
                raise StudyError(
                    f"{study.folder.path}: cannot be reused, it was trained in another way"
                    f" ({'; '.join(differences)}); repeat its settings, or leave it out"
                )
            same_host = not study.record.measuring_differences(record)
            for trial in study.trials:
                if trial.status == "trained":
                    latency = trial.latency if same_host else None
                    known = KnownResult(study, trial, latency)
                    self._by_id.setdefault(trial.architecture.id, known)

    def get(self, network: str) -> KnownResult | None:
        """The training of the network with that id."""
        return self._by_id.get(network)

    def within(self, space: SearchSpace) -> Iterator[Enqueued]:
        """Those that a space holds, to be taken over before anything is searched."""
        for known in self._by_id.values():
            if space.params(known.trial.architecture) is not None:
                yield Enqueued(known.trial.architecture)
