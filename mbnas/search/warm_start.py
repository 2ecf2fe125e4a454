"""Weights to begin with: those of the trained network that shares most of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from safetensors import SafetensorError
from safetensors.numpy import load_file

from mbnas.network import Architecture
from mbnas.search.folder import StudyFolder
from mbnas.search.trial import Trial
from mbnas.training.trainer import Weights

LEAST_SHARE = 0.25
"""Share of a network's parameters that must agree to be worth taking over."""


@dataclass(frozen=True, slots=True)
class Start:
    """Weights to begin with.

    Attributes:
        trial: Number of the trial that learned them.
        weights: All of them; the trainer takes those that agree in name and shape.
    """

    trial: int
    weights: Weights


def nearest_weights(trial: Trial, finished: Sequence[Trial], folder: StudyFolder) -> int | None:
    """Of the trained networks whose weights are kept, the number of whose fill most of this one."""
    best, most = None, LEAST_SHARE
    for other in finished:
        if other.status == "trained" and folder.has_weights(other):
            share = shared_parameters(trial.architecture, other.architecture)
            if share > most:
                best, most = other.number, share
    return best


def kept_weights(trial: int, folder: StudyFolder) -> Start | None:
    """A trial's weights, if they are still kept."""
    file = folder.weights_file(trial)
    try:
        return Start(trial, load_file(file)) if file.exists() else None
    except (SafetensorError, OSError, ValueError, LookupError, TypeError):  # damaged: none
        return None


def shared_parameters(architecture: Architecture, other: Architecture) -> float:
    """Share of a network's parameters that stand in equal places of another one."""
    nodes = architecture.lower().nodes
    there = {node.name: node.op for node in other.lower().nodes}
    shared = sum(node.op.params for node in nodes if there.get(node.name) == node.op)
    return shared / sum(node.op.params for node in nodes)
