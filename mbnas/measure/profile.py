"""Where the time goes inside a network: ONNX Runtime's profiler, run apart from any timing.

Profiling itself costs some microseconds an operator, so the parts add up to more than the latency;
their shares are what to read.
"""

from __future__ import annotations

import json
import tempfile
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from google.protobuf.message import DecodeError
from numpy.typing import NDArray

from mbnas.errors import MeasureError
from mbnas.measure.session import noise_for, open_session, run_session
from mbnas.measure.timing import Timer

WARM_UP_RUNS = 3
_SUFFIX = "_kernel_time"
_LAYOUT = "_nchwc"


@dataclass(frozen=True, slots=True)
class OperatorTime:
    """Time of one operator that ONNX Runtime runs, fused ones as one.

    Attributes:
        name: The network's name of it, `stage2.block1.expand.act`.
        kind: ONNX Runtime's name of the operator, `Conv`.
        part: `stem`, `stage2`, `head`; of a foreign file, the kind.
        milliseconds: Lower quartile over the runs.
    """

    name: str
    kind: str
    part: str
    milliseconds: float


def profile(content: bytes, timer: Timer, runs: int, seconds: float) -> list[OperatorTime]:
    """Times of a network's operators, in the order in which they run.

    Args:
        content: An ONNX file with one input.
        timer: Knows which runs were undisturbed; `OrtLatencyMeter.profile` has one.
        runs: Undisturbed runs to time, after a few that are not.
        seconds: Time for them at most.

    Raises:
        MeasureError: the file cannot be run.
    """
    with tempfile.TemporaryDirectory(prefix="mbnas-") as folder:
        kept, events = _run(content, timer, runs, seconds, Path(folder))
    times: dict[tuple[str, str], list[float]] = defaultdict(list)
    for event in events:
        if event.get("cat") == "Node" and event["name"].endswith(_SUFFIX):
            times[(event["name"], event["args"]["op_name"])].append(event["dur"] / 1000)
    operators: list[OperatorTime] = []
    part = ""
    for (name, kind), values in times.items():
        own = name.removesuffix(_SUFFIX).removesuffix(_LAYOUT)
        # What ONNX Runtime adds, such as a change of layout, belongs to the part it stands in.
        part = own.partition(".")[0] if "." in own else part or kind
        of_runs = np.array(values)
        if len(values) <= len(kept):  # of what stands in a loop there are more than runs
            of_runs = of_runs[kept[: len(values)]]
        quartile = float(np.quantile(of_runs, 0.25))
        operators.append(OperatorTime(own, kind, part, quartile))
    return operators


def _run(
    content: bytes, timer: Timer, runs: int, seconds: float, folder: Path
) -> tuple[NDArray[np.bool_], list[dict[str, Any]]]:
    """Which of the runs count, and what ONNX Runtime wrote of all."""
    session = open_session(_named(content), timer.threads, folder / "profile")
    feed = noise_for(session)
    for _ in range(WARM_UP_RUNS):
        run_session(session, feed)
    undisturbed = timer.watch(lambda: run_session(session, feed), runs, seconds)
    if not any(undisturbed):
        undisturbed = [True] * len(undisturbed)
    kept = np.array([False] * WARM_UP_RUNS + undisturbed)
    return kept, json.loads(Path(session.end_profiling()).read_text())


def by_part(operators: Iterable[OperatorTime]) -> dict[str, float]:
    """Milliseconds of each part, in order."""
    parts: dict[str, float] = {}
    for operator in operators:
        parts[operator.part] = parts.get(operator.part, 0.0) + operator.milliseconds
    return parts


def _named(content: bytes) -> bytes:
    """The file with no two nodes of one name, so that their times can be told apart."""
    try:
        model = onnx.load_model_from_string(content)
    except DecodeError:
        raise MeasureError("not an ONNX file") from None
    names: set[str] = set()
    for node in model.graph.node:
        if not node.name or node.name in names:
            node.name = next(filter(None, node.output), node.name)
        names.add(node.name)
    named: bytes = model.SerializeToString()
    return named
