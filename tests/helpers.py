"""Small spaces and data that tests of several rooms use."""

from __future__ import annotations

import random
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mbnas.network import Architecture
from mbnas.space import SearchSpace, make_space

ROOT = Path(__file__).parent.parent


def tiny_space(**changes: object) -> SearchSpace:
    """A space of 1,728 points whose networks train in a blink."""
    table: dict[str, object] = {
        "resolution": [8, 12],
        "stem": {"width": 4, "stride": 1},
        "defaults": {"block": ["mbconv", "fused_mbconv"], "expansion": [1, 2], "kernel": 3},
        "stages": [
            {"width": [4, 8, 12], "stride": 2, "depth": [1, 2]},
            {
                "width": [8, 12, 16],
                "stride": 2,
                "fusion": ["none", "concat", "weighted_sum"],
            },
        ],
        **changes,
    }
    return make_space("tiny", **table)  # type: ignore[arg-type]


def some_architectures(space: SearchSpace, count: int, seed: int = 0) -> list[Architecture]:
    """Sampled networks, each once."""
    rng = random.Random(seed)
    found: dict[str, Architecture] = {}
    while len(found) < count:
        architecture = space.architecture(space.sample(rng))
        found.setdefault(architecture.id, architecture)
    return list(found.values())


@dataclass(frozen=True)
class Images:
    """One part, as the trainer takes it."""

    images: NDArray[np.uint8]
    labels: NDArray[np.int64]


def stripes(count: int, resolution: int = 12, seed: int = 0) -> Images:
    """Two classes that a small network tells apart at once: stripes across and stripes down."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 2, count)
    line = np.where(np.arange(resolution) // 2 % 2, 200, 50)
    across = np.broadcast_to(line[:, None], (resolution, resolution))
    images = np.where(labels[:, None, None, None], across, across.T)
    noisy = images + rng.normal(0, 20, (count, 3, resolution, resolution))
    return Images(noisy.clip(0, 255).astype(np.uint8), labels.astype(np.int64))


def run_mbnas(*arguments: object, cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
    """The command, as a user calls it."""
    return subprocess.run(
        [sys.executable, "-m", "mbnas", *map(str, arguments)],
        capture_output=True,
        text=True,
        cwd=cwd,
        check=False,
    )
