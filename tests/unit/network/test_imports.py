"""Networks and spaces are plain Python."""

from __future__ import annotations

import subprocess
import sys

from helpers import ROOT

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


BARE = """
import sys

# A machine that has torch, and of what mbnas needs nothing else.
for name in (
    "alembic", "onnx", "onnxruntime", "optuna", "pandas", "plotly", "psutil", "pydantic", "rich",
    "safetensors", "scipy", "sklearn", "tomli_w",
):
    sys.modules[name] = None
sys.path.insert(0, "scripts")
import bench_training, gpu_check, stock_loop
trainer = bench_training.make_trainer(
    *bench_training.read_images(None, 256, 64), bench_training.Recipe(epochs=1), "cpu"
)
assert trainer.estimate_seconds(bench_training.networks()[0]) > 0
print("trained")
"""


def test_the_training_figures_need_torch_alone() -> None:
    done = subprocess.run(
        [sys.executable, "-c", BARE], capture_output=True, text=True, check=False, cwd=ROOT
    )
    assert done.stdout == "trained\n", done.stderr
