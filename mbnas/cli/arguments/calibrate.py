"""What mbnas calibrate takes."""

from __future__ import annotations

import argparse
from pathlib import Path

_EPILOG = """\
examples:
  mbnas calibrate search_spaces/cifar_mobile.toml
  mbnas calibrate cifar_mobile --classes 100 --threads 2 --seconds 120

Times networks of the space part by part and as a whole, fits a predictor, and shows its error on
networks that it has not seen. `mbnas search` then finds it by itself: it says beforehand how much
of the space meets a latency limit, and leaves out networks that are far above one without timing
them. What a search reports is always measured. Valid for this machine, ONNX Runtime's version,
--classes, --threads, and the file as it is.
A space of only some dozens of networks is refused: a search measures them all, and foresees none.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the verb's arguments."""
    parser.epilog = _EPILOG
    parser.add_argument("file", metavar="FILE", help="search-space file, or a shipped space's name")
    parser.add_argument("--classes", type=int, default=10, help="of the data (default 10)")
    parser.add_argument("--threads", type=int, default=1, help="of a network (default 1)")
    parser.add_argument("--seconds", type=float, default=150, help="to spend (default 150)")
    parser.add_argument("--seed", type=int, default=0, help="of the networks drawn (default 0)")
    parser.add_argument("--out", type=Path, help="write there, not where a search looks")
