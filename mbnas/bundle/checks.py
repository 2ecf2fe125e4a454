"""Running a bundle's files and comparing what they compute with the network itself."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from mbnas.bundle.trained import TrainedNetwork
from mbnas.errors import ExportError
from mbnas.measure.onnx_file import INPUT
from mbnas.measure.session import open_session, run_session
from mbnas.model import build_seeded

Logits = NDArray[np.float32]
Batches = Iterable[NDArray[np.float32]]

PROBABILITY_TOLERANCE = 0.01
"""Of what infer.py prints: a pixel that lies between two values may be rounded to the other one."""
_RUN_MODEL = """\
import sys
import torch
sys.path.insert(0, sys.argv[1])
import model
network = model.load()
with torch.inference_mode():
    for file in sys.argv[2:]:
        torch.save(network(torch.load(file)), file)
"""


def torch_logits(network: TrainedNetwork, images: Batches) -> Logits:
    """What the network itself computes."""
    module = build_seeded(network.architecture, len(network.classes), seed=0)
    state = {name: torch.from_numpy(value) for name, value in network.weights.items()}
    module.load_state_dict(state, strict=False)  # batch norms' counters are not kept
    module.eval()
    with torch.inference_mode():
        return np.concatenate([module(torch.from_numpy(batch)).numpy() for batch in images])


def onnx_logits(content: bytes, images: Batches) -> Logits:
    """What an ONNX file computes.

    Raises:
        MeasureError: it cannot be run.
    """
    session = open_session(content, threads=0)  # 0: as many as there are cores
    return np.concatenate([run_session(session, {INPUT: batch}) for batch in images])


def model_logits(folder: Path, images: Batches) -> Logits:
    """What a folder's model.py computes, in a process that does not load mbnas.

    Raises:
        ExportError: it does not run.
    """
    with tempfile.TemporaryDirectory(prefix="mbnas.") as aside:
        files = []
        for number, batch in enumerate(images):
            files.append(Path(aside) / f"{number}.pt")
            torch.save(torch.from_numpy(batch), files[-1])
        _run(["-c", _RUN_MODEL, folder, *files], "model.py")
        return np.concatenate([torch.load(file).numpy() for file in files])


def infer_check(
    folder: Path, images: NDArray[np.uint8], logits: Logits, labels: Sequence[str]
) -> None:
    """Whether a folder's infer.py says of image files what their logits say.

    Args:
        folder: The bundle.
        images: Some decoded images (N, H, W, 3).
        logits: The network's, of the same images.
        labels: Names of the classes.

    Raises:
        ExportError: it does not run, or says something else.
    """
    shares = np.exp(logits - logits.max(axis=1, keepdims=True))
    shares /= shares.sum(axis=1, keepdims=True)
    with tempfile.TemporaryDirectory(prefix="mbnas.") as aside:
        files = [Path(aside) / f"{number}.png" for number in range(len(images))]
        for file, image in zip(files, images, strict=True):
            Image.fromarray(image).save(file)
        # Not splitlines(), which takes some letters that a label may hold for ends of lines.
        told = _run([folder / "infer.py", *files], "infer.py").removesuffix("\n").split("\n")
    for at, (file, line) in enumerate(zip(files, told, strict=True)):
        best = shares[at].max()
        allowed = {
            f"{file}\t{label}": share
            for label, share in zip(labels, shares[at].tolist(), strict=True)
            if share >= best - PROBABILITY_TOLERANCE
        }
        said, _, share = line.rpartition("\t")
        if said not in allowed or abs(float(share) - allowed[said]) > PROBABILITY_TOLERANCE:
            label = labels[int(shares[at].argmax())]
            raise ExportError(
                f'infer.py says "{line.removeprefix(str(file)).strip()}" of an image that the'
                f' network takes for "{label}" ({best:.4f})'
            )


def _run(arguments: Sequence[str | Path], what: str) -> str:
    """Output of a Python that finds what is installed, but nothing in the current folder."""
    # Not -I: packages may be installed for the user alone, or be found by PYTHONPATH. With the
    # environment comes an encoding that goes before "-X utf8".
    done = subprocess.run(
        [sys.executable, "-P", "-B", "-X", "utf8", *arguments],
        capture_output=True,
        encoding="utf-8",
        env=os.environ | {"PYTHONIOENCODING": "utf-8"},
        check=False,
    )
    if done.returncode != 0:
        said = done.stderr.strip().splitlines()
        raise ExportError(f"{what} does not run: {said[-1] if said else done.returncode}")
    return done.stdout
