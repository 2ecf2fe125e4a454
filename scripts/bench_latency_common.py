"""What the parts of the latency figures share."""

from __future__ import annotations

import time
from typing import Any

import numpy as np

import mbnas

SPACE = mbnas.load_space("cifar_mobile")
CLASSES = 10


def spread(values: Any) -> dict[str, float]:
    """Median and quartiles."""
    quarter, median, three = np.quantile(values, [0.25, 0.5, 0.75])
    return {"median": float(median), "q25": float(quarter), "q75": float(three)}


def say(text: str) -> None:
    print(f"{time.strftime('%H:%M:%S')} {text}", flush=True)
