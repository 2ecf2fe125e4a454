"""What mbnas export takes."""

from __future__ import annotations

import argparse
from pathlib import Path

_EPILOG = """\
examples:
  mbnas export studies/photos                             the knee of the front
  mbnas export studies/photos --pick 'latency_ms<=2'      the most accurate within 2 ms
  mbnas export studies/photos --pick trial:17 --out seventeen
  mbnas export studies/photos --int8                      in 8 bits too, if that is worth it

Once the front is confirmed (mbnas confirm), it is picked from, with the best of its full trainings.

PICK   knee | accuracy | latency | trial:N | latency_ms<=X (or another cost)

Leaves model.onnx (labels and preprocessing in its metadata), infer.py, which runs it on image
files, model.py, the network in plain PyTorch with weights.safetensors, architecture.json,
confusion.png and CARD.md. Every file is run on validation images and compared first.
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
    parser.add_argument("--int8", action="store_true", help="write model.int8.onnx too")
    parser.add_argument(
        "--max-drop",
        type=float,
        default=0.01,
        metavar="DROP",
        help="accuracy that 8 bits may cost (default %(default)s); with more, or where they are"
        " no faster, the bundle is written without them and the exit code is 1",
    )
