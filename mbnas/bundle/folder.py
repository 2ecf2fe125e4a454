"""The folder that a bundle takes: what may be replaced, and how."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mbnas.errors import ExportError

FILES = (
    "model.onnx",
    "model.int8.onnx",
    "weights.safetensors",
    "architecture.json",
    "model.py",
    "infer.py",
    "confusion.png",
    "CARD.md",
    "__pycache__",
)
"""What a bundle may hold; the last is left by whoever imported a file of it."""
LITTER = (".DS_Store", "Thumbs.db", "desktop.ini")
"""What Finder and Explorer leave in a folder that one looks at."""


def check_target(folder: Path) -> None:
    """Refuses a folder that holds other things than a bundle.

    Raises:
        ExportError: it does, or is a file.
    """
    try:
        is_there, is_folder = folder.exists(), folder.is_dir()
        held = {file.name for file in folder.iterdir()} if is_folder else set()
    except OSError as error:  # a name too long, a folder that may not be entered
        raise ExportError(f"{folder}: cannot be read ({error.strerror})") from None
    if is_there and not is_folder:
        raise ExportError(f"{folder}: is a file; name a folder")
    others = held - {*FILES, *LITTER}
    if others:
        raise ExportError(
            f"{folder}: holds other things ({min(others)}, ...); name a new folder with --out"
        )


@contextmanager
def aside(target: Path) -> Iterator[Path]:
    """A folder that takes the target's place at the end, so that half a bundle is never left.

    Raises:
        ExportError: it cannot be written.
    """
    with writing(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        # What cannot be deleted at the end is no reason to fail: the bundle is in its place.
        beside = tempfile.TemporaryDirectory(
            dir=target.parent, prefix=f".{target.name}.", ignore_cleanup_errors=True
        )
    with beside as place:
        fresh = Path(place) / "bundle"
        with writing(target):
            fresh.mkdir()
        yield fresh
        with writing(target):
            _replace(target, fresh, Path(place) / "old")


@contextmanager
def writing(target: Path) -> Iterator[None]:
    """Says of a failure to write which bundle it keeps from being written.

    Raises:
        ExportError: it cannot be written.
    """
    try:
        yield
    except OSError as error:
        raise ExportError(f"{target}: cannot be written ({error.strerror})") from None


def _replace(target: Path, fresh: Path, old: Path) -> None:
    """Puts a folder in the target's place; what stood there comes back where that fails."""
    if not target.exists():
        fresh.rename(target)
        return
    target.rename(old)
    try:
        fresh.rename(target)
    except OSError:
        old.rename(target)
        raise
