"""Networks and spaces are plain Python."""

from __future__ import annotations

import subprocess
import sys

PROGRAM = """
import sys
import mbnas.network, mbnas.space
space = mbnas.space.load_space("digits_tiny")
import random
print(space.architecture(space.sample(random.Random(0))).id)
heavy = {"torch", "torchvision", "optuna", "onnx", "onnxruntime", "numpy", "pandas", "pydantic"}
print(sorted(heavy & set(sys.modules)))
"""


def test_networks_and_spaces_load_nothing_heavy() -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True
    )
    identifier, loaded = done.stdout.split("\n")[:2]
    assert len(identifier) == 16  # it did what it was asked
    assert loaded == "[]"
