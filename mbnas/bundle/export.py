"""Writes a trained network as files that run elsewhere, and checks them before it says done."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load_file
from safetensors.numpy import save as save_tensors

from mbnas.bundle.card import card
from mbnas.bundle.pick import pick as pick_trial
from mbnas.data import load_data
from mbnas.errors import ExportError
from mbnas.measure.onnx_file import INPUT, random_weights, to_onnx
from mbnas.measure.parity import ParityError, check_parity
from mbnas.measure.session import open_session
from mbnas.search import Study, Trial
from mbnas.training.images import ImageTensors

FILES = ("model.onnx", "weights.safetensors", "architecture.json", "CARD.md")
PARITY_IMAGES = 256
ACCURACY_TOLERANCE = 0.002
"""How far the file's validation accuracy may lie from the recorded one, or two images where that
is more: two libraries may break a tie differently."""


@dataclass(frozen=True, slots=True)
class Bundle:
    """What an export left on disk.

    Attributes:
        folder: Where it lies.
        trial: The trial it was made from.
        accuracy: Of the ONNX file on the validation part, measured after it was written.
        difference: Largest difference between ONNX Runtime and PyTorch on real images, as a
            share of the largest output where that is above 1.
    """

    folder: Path
    trial: Trial
    accuracy: float
    difference: float


def export(
    study: Study,
    folder: str | Path,
    pick: str | Trial = "knee",
    *,
    data: str | None = None,
) -> Bundle:
    """Writes ONNX, weights, architecture and card of one trial, run and compared.

    Args:
        study: The study.
        folder: A new folder, or one that holds an earlier bundle, which is replaced.
        pick: The trial, or a rule of `mbnas.pick`.
        data: Where the study's images are, `folder:PATH` or the like, if they have moved.

    Raises:
        StudyError: the rule names no trial.
        ExportError: the weights are gone, the folder holds other things, the data are not the
            study's, or the file does not compute what the network does.
        DataError: the study's images cannot be read.
    """
    trial = pick_trial(study, pick) if isinstance(pick, str) else pick
    if trial.reused_from is not None:
        trial = study.trial(trial.reused_from)  # whose weights they are
    folder = Path(folder).resolve()
    _check_target(folder)
    _check_resolution(study, trial)
    weights = _weights(study, trial)
    validation = _validation_images(study, data)
    graph = trial.architecture.lower(len(study.record.data.classes))
    content = to_onnx(graph, weights, _metadata(study, trial))
    resolution = trial.architecture.resolution
    images, _ = next(validation.batches(resolution, PARITY_IMAGES))
    try:
        difference = check_parity(trial.architecture, weights, content, images.contiguous().numpy())
    except ParityError as error:
        raise ExportError(f"{study.folder.path}: trial {trial.number}: {error}") from None
    accuracy = _accuracy(content, validation, resolution)
    tolerance = max(ACCURACY_TOLERANCE, 2 / len(validation))
    if abs(accuracy - (trial.accuracy or 0.0)) > tolerance:
        raise ExportError(
            f"{study.folder.path}: trial {trial.number}: the ONNX file reaches {accuracy:.4f} on"
            f" the validation part, {trial.accuracy or 0.0:.4f} was recorded; the study's data or"
            " weights have changed"
        )
    _write(
        folder,
        {
            "model.onnx": content,
            "weights.safetensors": save_tensors(weights),
            "architecture.json": trial.architecture.to_json().encode(),
            "CARD.md": card(study, trial, accuracy, difference).encode(),
        },
    )
    return Bundle(folder, trial, accuracy, difference)


def _check_target(folder: Path) -> None:
    if folder.exists() and not folder.is_dir():
        raise ExportError(f"{folder}: is a file; name a folder")
    others = {file.name for file in folder.iterdir()} - set(FILES) if folder.exists() else set()
    if others:
        raise ExportError(
            f"{folder}: holds other things ({min(others)}, ...); name a new folder with --out"
        )


def _weights(study: Study, trial: Trial) -> dict[str, NDArray[Any]]:
    file = study.folder.trial_folder(trial.number) / "weights.safetensors"
    if not file.exists():
        raise ExportError(
            f"{file}: missing; weights are kept for the front and the last ten trials alone"
        )
    try:
        weights = load_file(file)
    except (SafetensorError, OSError, LookupError, TypeError, ValueError) as error:
        raise ExportError(f"{file}: damaged ({' '.join(str(error).split())})") from None
    fresh = random_weights(trial.architecture.lower(len(study.record.data.classes)))
    for name in sorted(fresh.keys() | weights.keys()):
        mine, theirs = (_kind(held.get(name)) for held in (fresh, weights))
        if mine != theirs:
            raise ExportError(f"{file}: damaged: {name} is {theirs}, its network's is {mine}")
    return weights


def _kind(array: NDArray[Any] | None) -> str:
    return "missing" if array is None else f"{array.dtype} {array.shape}"


def _check_resolution(study: Study, trial: Trial) -> None:
    """Refuses a trial that the study's own images are too small for: it is none of its."""
    decoded, resolution = study.space.resolutions[-1], trial.architecture.resolution
    if resolution > decoded:
        raise ExportError(
            f"{study.folder.path}: trial {trial.number}: damaged: its resolution, {resolution},"
            f" is above the {decoded} pixels at which the study's images are kept"
        )


def _validation_images(study: Study, moved_to: str | None) -> ImageTensors:
    """The validation part as the trials saw it."""
    record = study.record.data
    normalisation = record.normalisation
    if normalisation is None:
        raise ExportError(f"{study.folder.path}: was searched without real training")
    if (len(normalisation.mean), len(normalisation.std)) != (3, 3):
        raise ExportError(f"{study.folder.record_file}: damaged at data.normalisation")
    split = record.split
    data = load_data(
        moved_to or record.spec,
        seed=split.seed,
        validation=split.validation,
        test=split.test,
        subset=split.subset,
    )
    if data.digest() != record.digest:
        raise ExportError(f"{data.spec}: holds other images than the study was searched with")
    part = data.decode("validation", study.space.resolutions[-1])
    return ImageTensors(part, normalisation, torch.device("cpu"))


def _accuracy(content: bytes, validation: ImageTensors, resolution: int) -> float:
    session = open_session(content, threads=0)  # 0: as many as there are cores
    right = 0
    for images, labels in validation.batches(resolution, 256):
        logits = session.run(None, {INPUT: images.contiguous().numpy()})[0]
        right += int((np.argmax(logits, axis=1) == labels.numpy()).sum())
    return right / len(validation)


def _metadata(study: Study, trial: Trial) -> dict[str, str]:
    """What someone who has the file alone needs to know, as JSON texts."""
    record = study.record
    normalisation = record.data.normalisation
    assert normalisation is not None
    preprocessing = {
        "colour": "RGB; EXIF orientation applied, transparency on white",
        "layout": "NCHW",
        "resize": "shorter side to decoded_resolution, centre crop, then to resolution",
        "decoded_resolution": study.space.resolutions[-1],
        "resolution": trial.architecture.resolution,
        "interpolation": "bilinear, antialiased, rounded to 8 bits after each resize",
        "scale": 1 / 255,
        "mean": normalisation.mean,
        "std": normalisation.std,
    }
    provenance = {
        "study": record.name,
        "trial": trial.number,
        "data": record.data.spec,
        "validation_accuracy": trial.accuracy,
        "created": record.created.isoformat(),
        "versions": record.versions,
    }
    texts: Mapping[str, Any] = {
        "labels": record.data.classes,
        "preprocessing": preprocessing,
        "provenance": provenance,
        "architecture": trial.architecture.to_dict(),
    }
    return {key: json.dumps(value) for key, value in texts.items()}


def _write(target: Path, files: Mapping[str, bytes]) -> None:
    """Writes to the side and renames, so that half a bundle is never left."""
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=target.parent, prefix=f".{target.name}.") as aside:
            fresh = Path(aside) / "bundle"
            fresh.mkdir()
            for name, content in files.items():
                (fresh / name).write_bytes(content)
            if target.exists():
                shutil.rmtree(target)
            fresh.rename(target)
    except OSError as error:
        raise ExportError(f"{target}: cannot be written ({error.strerror})") from None
