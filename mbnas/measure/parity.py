"""Whether an ONNX file computes what the trained network computes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from mbnas.errors import ExportError
from mbnas.measure.onnx_file import INPUT
from mbnas.measure.session import open_session, run_session
from mbnas.model import build_seeded
from mbnas.network import Architecture

TOLERANCE = 1e-4


class ParityError(ExportError):
    """ONNX Runtime and PyTorch disagree about a network's outputs."""


def check_parity(
    architecture: Architecture,
    weights: Mapping[str, NDArray[Any]],
    content: bytes,
    images: NDArray[np.float32],
) -> float:
    """Runs an ONNX file and the module it was written from on the same images.

    Args:
        architecture: The network.
        weights: The module's state dict as arrays.
        content: The ONNX file.
        images: Normalised images (N, 3, R, R).

    Returns:
        The largest difference of two logits, as a share of the largest logit where that is
        above 1.

    Raises:
        ParityError: the difference is above `TOLERANCE`.
    """
    classes = len(weights["head.classifier.bias"])
    network = build_seeded(architecture, classes, seed=0)  # its weights are replaced
    state = {name: torch.from_numpy(value) for name, value in weights.items()}
    network.load_state_dict(state, strict=False)  # batch norms' counters are not kept
    with torch.inference_mode():
        expected = network.eval()(torch.from_numpy(images)).numpy()
    computed = run_session(open_session(content), {INPUT: images})
    return difference(expected, computed, "ONNX Runtime")


def difference(expected: NDArray[np.float32], computed: NDArray[np.float32], what: str) -> float:
    """The largest difference of two logits, as a share of the largest one where that is above 1.

    Within the tolerance, another label can only come of two logits as close as that.

    Args:
        expected: PyTorch's logits.
        computed: Those of something else.
        what: What that is.

    Raises:
        ParityError: it is above `TOLERANCE`.
    """
    scale = max(1.0, float(np.abs(expected).max()))
    largest = float(np.abs(expected - computed).max()) / scale
    # Written so that a difference that is no number fails too.
    if not largest <= TOLERANCE:
        raise ParityError(
            f"{what} and PyTorch differ by {largest:.1e} of the largest output; at most"
            f" {TOLERANCE:.0e} is let pass"
        )
    return largest
