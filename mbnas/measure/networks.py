"""Which network a text means: a reference, an architecture file, an ONNX file, torchvision's."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from mbnas.errors import MeasureError, SpaceError
from mbnas.measure.foreign import foreign_file, torchvision_network
from mbnas.measure.onnx_file import to_onnx
from mbnas.measure.session import noise_for, open_session, run_session
from mbnas.network import REFERENCES, Architecture, reference
from mbnas.network.checks import nearest

TORCHVISION = "torchvision:"


@dataclass(frozen=True, slots=True)
class NamedNetwork:
    """A network to be timed.

    Attributes:
        name: What to call it in a table.
        file: Its ONNX file.
        architecture: What it is; None of a foreign file.
    """

    name: str
    file: bytes
    architecture: Architecture | None


def open_network(
    what: str | Path,
    *,
    resolution: int = 224,
    classes: int = 1000,
    width_multiplier: float = 1.0,
    small: bool = False,
) -> NamedNetwork:
    """The network that a text or path means.

    Args:
        what: A reference's name; the path of an `architecture.json` or `.onnx` file; or
            `torchvision:resnet18`, any classifier of torchvision.
        resolution: Of a reference or torchvision's network, in pixels.
        classes: Of all but ONNX files.
        width_multiplier: Of a reference.
        small: Whether a reference drops strides until its last map is 4×4.

    Raises:
        MeasureError: nothing of the kind.
        SpaceError: an architecture file that is none, or no number of classes.
    """
    if classes < 1:
        raise SpaceError(f"classes = {classes}: must be at least 1")
    text = str(what)
    path = Path(what)
    if text.startswith(TORCHVISION):
        network = torchvision_network(text.removeprefix(TORCHVISION), resolution)
        return NamedNetwork(network.name, foreign_file(network, classes), None)
    if path.suffix == ".onnx":
        return NamedNetwork(path.stem, _foreign(path), None)
    architecture = architecture_in(path)
    if architecture is not None:
        return NamedNetwork(path.stem, to_onnx(architecture.lower(classes)), architecture)
    if text not in REFERENCES:
        raise MeasureError(
            f'network "{text}": no reference{nearest(text, REFERENCES)}, no architecture or .onnx'
            f" file, and not torchvision:NAME; references: {', '.join(REFERENCES)}"
        )
    architecture = reference(text, resolution, width_multiplier=width_multiplier, small=small)
    return NamedNetwork(text, to_onnx(architecture.lower(classes)), architecture)


def architecture_in(path: Path) -> Architecture | None:
    """The architecture in a file; None where there is no such file.

    Raises:
        MeasureError: it cannot be read.
        SpaceError: it holds none.
    """
    if not _is_file(path):
        return None
    try:
        return Architecture.from_json(_read(path))
    except SpaceError as error:
        raise SpaceError(f"{path}: {error}") from None


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError as error:  # a name too long, a folder that may not be entered
        raise MeasureError(f"{path}: cannot be read ({error.strerror})") from None


def _read(path: Path) -> bytes:
    if not _is_file(path):
        raise MeasureError(f"{path}: no such file")
    try:
        return path.read_bytes()
    except OSError as error:
        raise MeasureError(f"{path}: cannot be read ({error.strerror})") from None


def _foreign(path: Path) -> bytes:
    """An ONNX file that runs once here: whatever is wrong with it is told under its name."""
    content = _read(path)
    try:
        session = open_session(content)
        run_session(session, noise_for(session))
    except MeasureError as error:
        raise MeasureError(f"{path}: {error}") from None
    return content
