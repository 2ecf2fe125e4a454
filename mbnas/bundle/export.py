"""Writes a trained network as files that run elsewhere, and checks them before it says done."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from numpy.typing import NDArray
from safetensors.numpy import save as save_tensors

from mbnas.analysis.confirm import open_confirmation
from mbnas.bundle.card import Findings, card, latency_note
from mbnas.bundle.checks import (
    Logits,
    infer_check,
    model_logits,
    onnx_logits,
    torch_logits,
)
from mbnas.bundle.confirmed import network_of_confirmed
from mbnas.bundle.confusion import confusion_matrix, confusion_picture, confusions
from mbnas.bundle.eight_bits import EightBits, Labels, Timed, timed_with_eight_bits
from mbnas.bundle.folder import aside, check_target, writing
from mbnas.bundle.images import StudyImages, batches, spread
from mbnas.bundle.metadata import about, metadata
from mbnas.bundle.network_text import network_text
from mbnas.bundle.pick import pick as pick_trial
from mbnas.bundle.trained import TrainedNetwork, network_of_trial
from mbnas.data import PartName
from mbnas.errors import ExportError
from mbnas.measure.latency import FileMeter, Latency, OrtLatencyMeter
from mbnas.measure.onnx_file import to_onnx
from mbnas.measure.parity import ParityError, difference
from mbnas.search import Study, Trial
from mbnas.training.images import ImageTensors

COMPARED_IMAGES = 1000
INFERRED_IMAGES = 5
CALIBRATION_IMAGES = 300
MAX_DROP = 0.01
ACCURACY_TOLERANCE = 0.002
"""How far the file's accuracy may lie from the recorded one, or two images where that is more:
two libraries may break a tie differently."""
INFER = Path(__file__).with_name("infer_template.py")


@dataclass(frozen=True, slots=True)
class Bundle:
    """What an export left on disk.

    Attributes:
        folder: Where it lies.
        trial: The trial it was made from.
        accuracy: Of the ONNX file on the validation part, measured after it was written.
        test_accuracy: The same on the test part; None where that was not opened for it.
        difference: Largest difference between ONNX Runtime, model.py and PyTorch on real images,
            as a share of the largest output where that is above 1.
        recorded: The latency that was recorded; None where none was measured.
        latency: Timed again.
        latency_note: What to say where that is not what was recorded.
        int8: The network in 8 bits; None where it was not asked for.
    """

    folder: Path
    trial: Trial
    accuracy: float
    test_accuracy: float | None
    difference: float
    recorded: Latency | None
    latency: Latency
    latency_note: str | None
    int8: EightBits | None


def export(
    study: Study,
    folder: str | Path,
    pick: str | Trial = "knee",
    *,
    data: str | None = None,
    int8: bool = False,
    max_drop: float = MAX_DROP,
    meter: FileMeter | None = None,
) -> Bundle:
    """Writes one trial's network as a bundle, every file of which was run and compared.

    A confirmed network goes with the best of its full trainings, any other one as the search left
    it.

    Args:
        study: The study.
        folder: A new folder, or one that holds an earlier bundle, which is replaced.
        pick: The trial, or a rule of `mbnas.pick`.
        data: Where the study's images are, `folder:PATH` or the like, if they have moved.
        int8: Whether to write the network in 8 bits too.
        max_drop: Validation accuracy that 8 bits may cost.
        meter: Times the files; on this machine's CPU with the study's threads unless given.

    Raises:
        StudyError: the rule names no trial, or the confirmation is damaged.
        ExportError: the weights are gone, the folder holds other things, a file does not compute
            what the network does; or 8 bits are not worth having, in which case the bundle is
            written without them.
        DataError: the study's images cannot be read, or are others.
        MeasureError: the network cannot be timed.
    """
    trial = pick_trial(study, pick) if isinstance(pick, str) else pick
    folder = Path(folder).resolve()
    check_target(folder)
    if not 0 <= max_drop <= 1:
        raise ExportError(f"max_drop = {max_drop:g}: must be between 0 and 1")
    return write_bundle(
        network_of(study, trial),
        folder,
        StudyImages(study, data),
        int8=int8,
        max_drop=max_drop,
        meter=meter or OrtLatencyMeter(study.record.threads),
    )


def network_of(study: Study, trial: Trial) -> TrainedNetwork:
    """A trial's network: as it was confirmed, or as its brief training left it.

    Raises:
        ExportError: its weights are gone or damaged.
    """
    found = open_confirmation(study)
    number = trial.number if trial.reused_from is None else trial.reused_from
    one = None if found is None else found.of_trial(number)
    if found is None or one is None:
        return network_of_trial(study, trial)
    return network_of_confirmed(study, found, one)


def write_bundle(
    network: TrainedNetwork,
    folder: Path,
    images: StudyImages,
    *,
    int8: bool,
    max_drop: float,
    meter: FileMeter,
) -> Bundle:
    """Writes a trained network as a bundle; see `export`.

    Raises:
        ExportError: as there.
        DataError: images cannot be read.
        MeasureError: the network cannot be timed.
    """
    resolution = network.architecture.resolution
    graph = network.architecture.lower(len(network.classes))
    content = to_onnx(graph, network.weights, metadata(network, images.normalisation))
    ran = _run(network, content, images)
    accuracies = _checked_accuracies(network, content, images, ran)
    limit = max_drop if int8 else None
    timed = _timed(content, images, ran.validation, resolution, limit, meter)
    note = latency_note(network.latency, timed.latency)
    counts = confusion_matrix(ran.labels, ran.logits.argmax(axis=1), len(network.classes))
    files = {
        "model.onnx": content,
        "weights.safetensors": save_tensors(dict(network.weights)),
        "confusion.png": confusion_picture(counts, network.classes),
        "architecture.json": network.architecture.to_json().encode(),
        "model.py": network_text(
            graph, network.classes, about(network, images.normalisation)
        ).encode(),
        "infer.py": INFER.read_bytes(),
    }
    if timed.int8 is not None and timed.left_out is None:
        files["model.int8.onnx"] = timed.int8.content
    with aside(folder) as fresh:
        with writing(folder):
            for name, held in files.items():
                (fresh / name).write_bytes(held)
        largest = max(ran.difference, _check_written(fresh, network, ran))
        found = Findings(
            accuracies["validation"],
            largest,
            len(ran.expected),
            timed,
            note,
            confusions(counts, network.classes),
        )
        text = card(network, found)
        with writing(folder):
            (fresh / "CARD.md").write_bytes(text.encode())
    if timed.left_out is not None:
        raise ExportError(
            f"{network.place}: model.int8.onnx is left out, {timed.left_out}; the bundle without"
            f" it is in {folder}"
        )
    return Bundle(
        folder=folder,
        trial=network.trial,
        accuracy=accuracies["validation"],
        test_accuracy=accuracies.get("test"),
        difference=largest,
        recorded=network.latency,
        latency=timed.latency,
        latency_note=note,
        int8=timed.int8,
    )


@dataclass(frozen=True, slots=True)
class _Ran:
    """What the network and its ONNX file compute on the validation part.

    Attributes:
        validation: The part.
        expected: Of the network, on up to `COMPARED_IMAGES` images spread over it.
        logits: Of the file, on all of it.
        difference: Between them, where both are known.
    """

    validation: ImageTensors
    expected: Logits
    logits: Logits
    difference: float

    @property
    def labels(self) -> NDArray[Any]:
        return self.validation.labels.numpy()


def _run(network: TrainedNetwork, content: bytes, images: StudyImages) -> _Ran:
    """Runs the file beside the network, with which it must agree."""
    validation, resolution = images.part("validation"), network.architecture.resolution
    expected = torch_logits(network, batches(validation, resolution, COMPARED_IMAGES))
    logits = onnx_logits(content, batches(validation, resolution))
    compared = logits[spread(len(validation), COMPARED_IMAGES)]
    largest = _difference(network, expected, compared, "ONNX Runtime")
    return _Ran(validation, expected, logits, largest)


def _check_written(fresh: Path, network: TrainedNetwork, ran: _Ran) -> float:
    """Runs model.py and infer.py as they lie there; gives model.py's difference."""
    batches_ = batches(ran.validation, network.architecture.resolution, COMPARED_IMAGES)
    some = spread(len(ran.validation), INFERRED_IMAGES)
    pixels = ran.validation.at(network.decoded_resolution)[torch.from_numpy(some)]
    try:
        largest = _difference(network, ran.expected, model_logits(fresh, batches_), "model.py")
        infer_check(fresh, pixels.numpy(), ran.logits[some], network.classes)
    except OSError as error:  # no room for temporary files, or for processes
        raise ExportError(f"{network.place}: the bundle cannot be tried ({error})") from None
    return largest


def _difference(network: TrainedNetwork, expected: Logits, computed: Logits, what: str) -> float:
    try:
        return difference(expected, computed, what)
    except ParityError as error:
        raise ExportError(f"{network.place}: {error}") from None


def _accuracy(logits: Logits, part: ImageTensors) -> float:
    return float((logits.argmax(axis=1) == part.labels.numpy()).mean())


def _checked_accuracies(
    network: TrainedNetwork,
    content: bytes,
    images: StudyImages,
    ran: _Ran,
) -> dict[PartName, float]:
    """The file's accuracy on every part for which one is recorded, with which it agrees."""
    found: dict[PartName, float] = {}
    for name, recorded in network.accuracies.items():
        part, logits = ran.validation, ran.logits
        if name != "validation":
            part = images.part(name)
            logits = onnx_logits(content, batches(part, network.architecture.resolution))
        reached = found[name] = _accuracy(logits, part)
        if abs(reached - recorded.exported) > max(ACCURACY_TOLERANCE, 2 / len(part)):
            raise ExportError(
                f"{network.place}: the ONNX file reaches {reached:.4f} on the {name} part,"
                f" {recorded.exported:.4f} was recorded; the study's data or weights have changed"
            )
    return found


def _timed(
    content: bytes,
    images: StudyImages,
    validation: ImageTensors,
    resolution: int,
    max_drop: float | None,
    meter: FileMeter,
) -> Timed:
    """Timed, in turns with the network in 8 bits where an accuracy may be lost to that."""
    if max_drop is None:
        (latency,) = meter.measure_files([content])
        return Timed(latency)

    def predicted_by(file: bytes) -> Labels:
        predicted: Labels = onnx_logits(file, batches(validation, resolution)).argmax(axis=1)
        return predicted

    calibration = batches(images.part("train", CALIBRATION_IMAGES), resolution)
    labels = validation.labels.numpy()
    return timed_with_eight_bits(content, calibration, predicted_by, labels, max_drop, meter)
