"""A training laid down in a file, from which it is taken up as if nothing had been.

The file is a digest of what follows it, and torch's own format of tensors and plain values: what
was changed in any way after it was written is not taken up.
"""

from __future__ import annotations

import hashlib
import io
import pickle
import zipfile
from pathlib import Path
from typing import Any

import torch

from mbnas.errors import BuildError
from mbnas.files import write_atomically
from mbnas.training.trainer import Assignment, Weights

# What torch raises for bytes that are no whole checkpoint, or that hold more than plain values.
_UNREADABLE = (
    *(OSError, RuntimeError, ValueError, EOFError, LookupError, TypeError, AttributeError),
    *(pickle.UnpicklingError, zipfile.BadZipFile),
)


def training_identity(assignment: Assignment, *about: object) -> str:
    """What a checkpoint must be of, to be gone on with.

    Args:
        assignment: What is to be trained.
        about: All else that the training depends on.
    """
    start = None if assignment.start is None else _digest_of(assignment.start)
    told = (assignment.architecture.id, assignment.seed, start, *about)
    return hashlib.sha256(repr(told).encode()).hexdigest()[:16]


def write_checkpoint(path: Path, identity: str, state: dict[str, Any]) -> None:
    """Leaves a training's state: tensors and plain values.

    Raises:
        BuildError: the file cannot be written.
    """
    written = io.BytesIO()
    torch.save({"identity": identity, "state": state}, written)
    content = written.getvalue()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, _digest(content) + content)
    except OSError as error:
        raise BuildError(f"{path}: cannot be written ({error.strerror})") from None


def read_checkpoint(path: Path, identity: str) -> dict[str, Any] | None:
    """The state in a file; None where there is none of this very training.

    A damaged file is like none: the training begins again and comes to the same result.
    """
    if not path.is_file():
        return None
    try:
        file = path.read_bytes()
        content = file[_DIGEST_BYTES:]
        if file[:_DIGEST_BYTES] != _digest(content):
            return None
        held = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
    except _UNREADABLE:
        return None
    if not isinstance(held, dict) or held.get("identity") != identity:
        return None
    state = held.get("state")
    return state if isinstance(state, dict) else None


def _digest_of(weights: Weights) -> str:
    digest = hashlib.sha256()
    for name, value in sorted(weights.items()):
        digest.update(name.encode())
        digest.update(value.tobytes())
    return digest.hexdigest()[:16]


_DIGEST_BYTES = 32


def _digest(content: bytes) -> bytes:
    return hashlib.sha256(content).digest()
