"""What a finished trial carries for Optuna's own tools: a note, and its architecture as a file.

optuna-dashboard shows both. It keeps notes in attributes of the study, in pieces; artifacts are
Optuna's own, in a store of files beside the database.
"""

from __future__ import annotations

from pathlib import Path

import optuna
from optuna.artifacts import FileSystemArtifactStore, get_all_artifact_meta, upload_artifact
from optuna.artifacts._upload import ARTIFACTS_ATTR_PREFIX
from optuna.storages import BaseStorage

from mbnas.errors import StudyError
from mbnas.search.folder import StudyFolder
from mbnas.search.trial import Trial

ARTIFACTS = "artifacts"
_ARCHITECTURE = "architecture.json"
_PIECE = 2045
"""Characters of a note in one attribute, as optuna-dashboard cuts it (its `_note.py`)."""


def write_note(study: optuna.Study, asked: optuna.Trial, trial: Trial) -> None:
    """Gives a trial its note; Optuna lets nothing be added once it is told."""
    storage: BaseStorage = asked.storage
    study_id, trial_id = study._study_id, asked._trial_id
    text = note(trial)
    pieces = [text[at : at + _PIECE] for at in range(0, len(text), _PIECE)]
    for at, piece in enumerate(pieces):
        storage.set_study_system_attr(study_id, f"dashboard:{trial_id}:note_str:{at}", piece)
    storage.set_study_system_attr(study_id, f"dashboard:{trial_id}:note_ver", 1)


def keep_architecture(asked: optuna.Trial, folder: StudyFolder, again: bool) -> None:
    """Gives a trial its file.

    Args:
        asked: Optuna's trial.
        folder: The study's folder, in which the trial's files are.
        again: Whether a kill may have cut this short before; then the same file is written again.

    Raises:
        StudyError: the disk is full, or the folder cannot be written.
    """
    store = folder.path / ARTIFACTS
    try:
        store.mkdir(exist_ok=True)
        _keep(asked, folder.trial_folder(asked.number) / _ARCHITECTURE, store, again)
    except OSError as error:
        raise StudyError(f"{store}: cannot be written ({error.strerror})") from None


def artifact_ids(study: optuna.Study) -> set[str]:
    """Names of the artifacts that a study and its trials know of."""
    attributes = study._storage.get_study_system_attrs(study._study_id)
    known = [attributes, *(trial.system_attrs for trial in study.get_trials(deepcopy=False))]
    return {
        key.removeprefix(ARTIFACTS_ATTR_PREFIX)
        for attributes in known
        for key in attributes
        if key.startswith(ARTIFACTS_ATTR_PREFIX)
    }


def note(trial: Trial) -> str:
    """How a trial ended, its quantities and its network, in Markdown."""
    told = f"**{trial.status}**"
    if trial.reused_from is not None:
        told += f": the same network as trial {trial.reused_from}"
    if trial.reason is not None:
        told += f": {' '.join(trial.reason.split())}"
    rows = [f"| {name} | {value} |" for name, value in _quantities(trial).items()]
    table = ["| quantity | value |", "|---|---|", *rows]
    network = f"```text\n{trial.architecture.describe()}\n```"
    return "\n\n".join([told, "\n".join(table), network])


def _quantities(trial: Trial) -> dict[str, str]:
    """What is known of it, in words."""
    costs, latency = trial.costs, trial.latency
    spread = None
    if latency is not None:
        spread = f"{latency.latency_ms:.4g} ({latency.low_ms:.4g} to {latency.high_ms:.4g})"
    known: dict[str, str | None] = {
        "start": trial.start,
        "known from": trial.known_from,
        "accuracy": _share(trial.accuracy),
        "balanced accuracy": _share(trial.balanced_accuracy),
        "expected accuracy": _share(trial.expected_accuracy),
        "latency_ms": spread,
        "p50_ms": None if latency is None else f"{latency.p50_ms:.4g}",
        "p90_ms": None if latency is None else f"{latency.p90_ms:.4g}",
        "params": f"{costs.params:,}",
        "macs": f"{costs.macs:,}",
        "size_bytes": f"{costs.size_bytes:,}",
        "resolution": str(costs.resolution),
        "epochs": f"{len(trial.curve)}" if trial.curve else None,
        "training seconds": f"{trial.training_seconds:.1f}" if trial.training_seconds else None,
    }
    return {name: value for name, value in known.items() if value is not None}


def _share(accuracy: float | None) -> str | None:
    return None if accuracy is None else f"{accuracy:.4f}"


def _keep(asked: optuna.Trial, file: Path, store: Path, again: bool) -> None:
    files = FileSystemArtifactStore(store)
    for there in get_all_artifact_meta(asked) if again else ():
        if there.filename == file.name:  # told of before a kill, its file perhaps not whole
            with file.open("rb") as content:
                files.write(there.artifact_id, content)
            return
    upload_artifact(artifact_store=files, file_path=str(file), study_or_trial=asked)
