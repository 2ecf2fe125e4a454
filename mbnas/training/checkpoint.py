"""A training laid down in a file, from which it is taken up as if nothing had been."""

from __future__ import annotations

import io
import pickle
import zipfile
from pathlib import Path
from typing import Any

import torch

from mbnas.errors import BuildError
from mbnas.files import write_atomically

# What torch raises for bytes that are no whole checkpoint, or that hold more than plain values.
_UNREADABLE = (OSError, RuntimeError, ValueError, EOFError, KeyError, pickle.UnpicklingError)


def write_checkpoint(path: Path, identity: str, state: dict[str, Any]) -> None:
    """Leaves a training's state: tensors and plain values.

    Raises:
        BuildError: the file cannot be written.
    """
    content = io.BytesIO()
    torch.save({"identity": identity, "state": state}, content)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, content.getvalue())
    except OSError as error:
        raise BuildError(f"{path}: cannot be written ({error.strerror})") from None


def read_checkpoint(path: Path, identity: str) -> dict[str, Any] | None:
    """The state in a file; None where there is none of this very training.

    A damaged file is like none: the training begins again and comes to the same result.
    """
    if not path.exists():
        return None
    try:
        held = torch.load(path, map_location="cpu", weights_only=True)
    except (*_UNREADABLE, zipfile.BadZipFile):
        return None
    if not isinstance(held, dict) or held.get("identity") != identity:
        return None
    state: dict[str, Any] = held["state"]
    return state
