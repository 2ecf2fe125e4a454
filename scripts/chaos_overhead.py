"""What mbnas adds to trials of ten seconds: in this process, in workers, and on Ray."""

from __future__ import annotations

import importlib.util
import json
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
from chaos_common import EPOCHS, Part, Row, TimedTrainer, fake_search

from mbnas.search import DEFAULT_SAMPLER

TRIALS = 8
SECONDS = 10.0
MOST = 0.05
SLOTS = {"local": 1, "workers": 2, "ray": 2}


@dataclass(frozen=True)
class Span:
    """One training, of a trial or from rung to rung, by `time.monotonic`."""

    network: str
    began: float
    ended: float


def run(short: bool, out: Path) -> None:
    part = Part("overhead", short, out)
    for engine, slots in SLOTS.items():
        if engine == "ray" and importlib.util.find_spec("ray") is None:
            why = "skipped: Ray is not installed"
            part.add(Row("overhead_ray", _check("ray", SECONDS), _target(), why, None))
            continue
        if not short or engine == "local":
            _add(part, engine, slots, 3 if short else TRIALS, 3.0 if short else SECONDS)


def _check(engine: str, seconds: float) -> str:
    return f"overhead of mbnas beside trials of {seconds:g} s, engine {engine}"


def _target() -> str:
    return f"at most {MOST:.0%}"


def _add(part: Part, engine: str, slots: int, trials: int, seconds: float) -> None:
    start, spans = _searched(engine, slots, trials, seconds)
    busy, idle = _shared_out(spans, slots)
    share, a_trial = idle / busy, idle / busy * seconds
    row = Row(
        f"overhead_{engine}",
        _check(engine, seconds),
        _target(),
        f"{share:.1%}: {a_trial:.2f} s a trial, over {busy / seconds:.1f} trials, {slots} at"
        f" once; beside that {start:.1f} s from the start to the first training",
        share <= MOST,
    )
    figures: dict[str, Any] = {
        "share": round(share, 4),
        "seconds_a_trial": round(a_trial, 3),
        "start_seconds": round(start, 1),
        "load": [round(one, 1) for one in psutil.getloadavg()],
    }
    part.add(row, **figures)


def _shared_out(spans: list[Span], slots: int) -> tuple[float, float]:
    """Seconds that all slots together trained, and did not, while there was work for all.

    That is from when the last slot had its first training, to the beginning of the last network.
    """
    first = spans[slots - 1].began
    begins: dict[str, float] = {}
    for span in spans:
        begins.setdefault(span.network, span.began)
    last = max(begins.values())
    busy = sum(max(0.0, min(one.ended, last) - max(one.began, first)) for one in spans)
    return busy, slots * (last - first) - busy


def _searched(engine: str, slots: int, trials: int, seconds: float) -> tuple[float, list[Span]]:
    """Seconds until the first training, and all trainings of a search, by their beginning.

    It is one of so many trials, and one more for each slot.
    """
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as root:
        notes = Path(root) / "notes"
        notes.mkdir()
        began = time.monotonic()
        fake_search(
            Path(root) / "study",
            trainer=TimedTrainer(notes, seconds / EPOCHS),
            sampler=DEFAULT_SAMPLER,
            stopping=False,
            engine=engine,
            pack=slots,
        ).run(trials=trials + slots)
        lines = [line for file in notes.iterdir() for line in file.read_text().splitlines()]
    spans = sorted((Span(*json.loads(line)) for line in lines), key=lambda span: span.began)
    return spans[0].began - began, spans
