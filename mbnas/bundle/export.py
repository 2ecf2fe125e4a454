"""Writes a trained network as files that run elsewhere, and checks them before it says done."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
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
from mbnas.bundle.eight_bits import EightBits, Timed, timed_with_eight_bits
from mbnas.bundle.folder import aside, check_target
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
    architecture, resolution = network.architecture, network.architecture.resolution
    graph = architecture.lower(len(network.classes))
    content = to_onnx(graph, network.weights, metadata(network, images.normalisation))
    validation = images.part("validation")
    expected = torch_logits(network, batches(validation, resolution, COMPARED_IMAGES))
    computed = onnx_logits(content, batches(validation, resolution))
    chosen = spread(len(validation), COMPARED_IMAGES)
    largest = _difference(network, expected, computed[chosen], "ONNX Runtime")
    accuracies = _checked_accuracies(network, content, images, validation, computed)
    accuracy = accuracies["validation"]
    timed = _timed(content, images, validation, resolution, max_drop if int8 else None, meter)
    note = latency_note(network.latency, timed.latency)
    counts = confusion_matrix(
        validation.labels.numpy(), computed.argmax(axis=1), len(network.classes)
    )
    texts = {
        "architecture.json": architecture.to_json(),
        "model.py": network_text(graph, network.classes, about(network, images.normalisation)),
        "infer.py": INFER.read_text(encoding="utf-8"),
    }
    binaries = {
        "model.onnx": content,
        "weights.safetensors": save_tensors(dict(network.weights)),
        "confusion.png": confusion_picture(counts, network.classes),
    }
    if timed.int8 is not None and timed.left_out is None:
        binaries["model.int8.onnx"] = timed.int8.content
    with aside(folder) as fresh:
        for name, held in binaries.items():
            (fresh / name).write_bytes(held)
        for name, text in texts.items():
            (fresh / name).write_text(text, encoding="utf-8")
        loaded = model_logits(fresh, batches(validation, resolution, COMPARED_IMAGES))
        largest = max(largest, _difference(network, expected, loaded, "model.py"))
        some = spread(len(validation), INFERRED_IMAGES)
        pixels = validation.at(network.decoded_resolution)[torch.from_numpy(some)]
        infer_check(fresh, pixels.numpy(), computed[some], network.classes)
        mistakes = confusions(counts, network.classes)
        found = Findings(accuracy, largest, len(expected), timed, note, mistakes)
        (fresh / "CARD.md").write_text(card(network, found), encoding="utf-8")
    if timed.left_out is not None:
        raise ExportError(
            f"{network.place}: model.int8.onnx is left out, {timed.left_out}; the bundle without"
            f" it is in {folder}"
        )
    return Bundle(
        folder=folder,
        trial=network.trial,
        accuracy=accuracy,
        test_accuracy=accuracies.get("test"),
        difference=largest,
        recorded=network.latency,
        latency=timed.latency,
        latency_note=note,
        int8=timed.int8,
    )


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
    validation: ImageTensors,
    computed: Logits,
) -> dict[PartName, float]:
    """The file's accuracy on every part for which one is recorded, with which it agrees."""
    found: dict[PartName, float] = {}
    for name, recorded in network.accuracies.items():
        part, logits = validation, computed
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

    def accuracy_of(file: bytes) -> float:
        return _accuracy(onnx_logits(file, batches(validation, resolution)), validation)

    calibration = batches(images.part("train", CALIBRATION_IMAGES), resolution)
    return timed_with_eight_bits(content, calibration, accuracy_of, max_drop, meter)
