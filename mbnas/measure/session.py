"""ONNX Runtime on the CPU: opening a file, and running it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from mbnas.errors import MeasureError

MOST_VALUES = 2**28
"""Of a network's input: 1 GiB, four thousand times an image of 224 pixels."""


def open_session(
    content: bytes, threads: int = 1, profile: Path | None = None
) -> onnxruntime.InferenceSession:
    """An ONNX Runtime session on the CPU with graph optimisations on.

    Args:
        content: The ONNX file.
        threads: Threads that a run uses; 0 for as many as there are cores.
        profile: Beginning of the path of a profile that the session is to write.

    Raises:
        MeasureError: the file cannot be loaded.
    """
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
    options.log_severity_level = 3
    if profile is not None:
        options.enable_profiling = True
        options.profile_file_prefix = str(profile)
    try:
        # There is nothing to fall back to, and ONNX Runtime prints that it tries.
        return onnxruntime.InferenceSession(
            content, options, providers=["CPUExecutionProvider"], enable_fallback=False
        )
    except _ORT_ERRORS as error:
        raise MeasureError(f"ONNX Runtime cannot load the network: {_line(error)}") from None


def run_session(
    session: onnxruntime.InferenceSession, feed: Mapping[str, NDArray[Any]]
) -> NDArray[Any]:
    """The first output of a network for one input.

    Raises:
        MeasureError: it cannot be computed.
    """
    try:
        first: NDArray[Any] = session.run(None, feed)[0]
    except _ORT_ERRORS as error:
        raise MeasureError(f"ONNX Runtime cannot run the network: {_line(error)}") from None
    return first


def noise_for(session: onnxruntime.InferenceSession) -> dict[str, NDArray[np.float32]]:
    """One image of noise for a network with one image as its input, batch 1.

    Raises:
        MeasureError: the network wants something else.
    """
    wanted = session.get_inputs()
    shapes = [[size if isinstance(size, int) else 1 for size in one.shape] for one in wanted]
    if len(wanted) != 1 or wanted[0].type != "tensor(float)" or not shapes[0]:
        said = ", ".join(f"{one.name}: {one.type} {one.shape}" for one in wanted)
        raise MeasureError(f"inputs = {said}: only networks with one float32 input can be timed")
    if not 0 < math.prod(shapes[0]) <= MOST_VALUES or min(shapes[0]) < 1:
        raise MeasureError(
            f"input {shapes[0]}: must hold between 1 and {MOST_VALUES:,} values to be timed"
        )
    values = np.random.default_rng(0).standard_normal(shapes[0], np.float32)
    return {wanted[0].name: values}


_ORT_ERRORS: tuple[type[Exception], ...] = (
    *(
        kind
        for kind in vars(onnxruntime.capi.onnxruntime_pybind11_state).values()
        if isinstance(kind, type) and issubclass(kind, Exception)
    ),
    UnicodeDecodeError,  # in place of a message that quotes a damaged name
)


def _line(error: Exception) -> str:
    return " ".join(str(error).split())
