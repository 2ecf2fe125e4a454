"""The memory that a process takes which holds all of CIFAR-10, for `bench_training.py`."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent

MEMORY = """
import random, sys
from pathlib import Path
import torch
torch.zeros(1)

def peak():
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(1024 * int(line.split()[1]) for line in lines if line.startswith("VmHWM"))

before = peak()
import mbnas
data = mbnas.load_data("folder:" + sys.argv[1])
space = mbnas.load_space("cifar_mobile")
train, held_out = data.decode("train", 32), data.decode("validation", 32)
trainer = mbnas.TorchTrainer(
    train, held_out, 10, mbnas.Recipe(precision="float32"), flip=True, crop=True, device="cpu"
)
trainer._train.at(24), trainer._validation.at(24)
after = peak()
trainer.estimate_seconds(space.architecture(space.sample(random.Random(0))))
print(before, after, peak())
"""


def memory(path: Path) -> dict[str, Any]:
    """Peak memory of a process that holds all of CIFAR-10 at two resolutions and trains."""
    command = [sys.executable, "-c", MEMORY, str(path)]
    result = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT)
    before, after, trained = (int(word) / 1e9 for word in result.stdout.split()[-3:])
    return {
        "torch alone, GB": round(before, 3),
        "with all images at 32 and 24 pixels, above it, GB": round(after - before, 3),
        "and while a network trains, above it, GB": round(trained - before, 3),
    }
