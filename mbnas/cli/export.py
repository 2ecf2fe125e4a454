"""mbnas export: take a network home."""

from __future__ import annotations

import argparse
from pathlib import Path

import mbnas

_EPILOG = """\
examples:
  mbnas export studies/photos                             the knee of the front
  mbnas export studies/photos --pick 'latency_ms<=2'      the most accurate within 2 ms
  mbnas export studies/photos --pick trial:17 --out seventeen

PICK   knee | accuracy | latency | trial:N | latency_ms<=X (or another cost)

Leaves model.onnx (labels and preprocessing in its metadata), weights.safetensors,
architecture.json and CARD.md. The file is run on the validation images and compared first.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the verb's arguments."""
    parser.epilog = _EPILOG
    parser.add_argument("study", metavar="STUDY", type=Path, help="a study's folder")
    parser.add_argument("--pick", default="knee", help="which network (default knee)")
    parser.add_argument("--out", type=Path, help="a new folder (default STUDY/bundle)")
    parser.add_argument(
        "--data", help="the study's images, where they no longer lie where it found them"
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Runs the verb."""
    study = mbnas.open_study(arguments.study)
    out = arguments.out or arguments.study / "bundle"
    bundle = mbnas.export(study, out, arguments.pick, data=arguments.data)
    show(bundle)
    return 0


def show(bundle: mbnas.Bundle) -> None:
    """Prints what an export left."""
    trial = bundle.trial
    latency = "not measured" if trial.latency_ms is None else f"{trial.latency_ms:.3f} ms"
    print(f"trial {trial.number}, {latency}")
    print(f"validation accuracy {bundle.accuracy:.4f}, run with ONNX Runtime from the file")
    print(f"ONNX Runtime and PyTorch agree within {bundle.difference:.1e}")
    print(f"bundle:  {bundle.folder}")
