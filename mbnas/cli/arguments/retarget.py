"""What mbnas retarget takes."""

from __future__ import annotations

import argparse
from pathlib import Path

from mbnas.cli.arguments.shared import limit

_EPILOG = """\
examples:
  mbnas retarget studies/photos                          a repetition: what moves by chance
  mbnas retarget studies/photos --threads 4
  mbnas retarget studies/photos --int8 --limit latency_ms=1
  mbnas retarget studies/photos --all --name laptop      on another machine, every network

LIMIT  as in a search: latency_ms=2, params=1e6, ...; takes the place of the study's own.

Networks that were trained are timed again on this machine, as it is set up now, and nothing is
trained. Without --all these are the front and its neighbourhood: what would be on the front if it
took --reach less of its latency (0.3 by default). The study stays as it is; latencies are kept
as they come in STUDY/retargets/NAME.json, the report lies beside it.

With --int8 the latencies are of networks in 8 bits. Accuracies are always those in 32 bits.

Once `mbnas confirm` has confirmed the front, every network that was confirmed is timed too, and
both fronts are theirs alone, by their confirmed accuracies.

Ctrl-C is safe at any time: the same command goes on.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the verb's arguments."""
    parser.epilog = _EPILOG
    parser.add_argument("study", metavar="STUDY", type=Path, help="a study's folder")
    target = parser.add_argument_group("target")
    target.add_argument("--threads", type=int, help="of a timed network (default the study's)")
    target.add_argument("--int8", action="store_true", help="time the networks in 8 bits")
    target.add_argument("--seconds", type=float, default=0.8, help="for each network (default 0.8)")
    networks = parser.add_argument_group("networks").add_mutually_exclusive_group()
    networks.add_argument(
        "--reach",
        type=float,
        default=0.3,
        metavar="SHARE",
        help="those nearer to the front than this share of their latency (default 0.3)",
    )
    networks.add_argument("--all", action="store_true", help="every trained network")
    parser.add_argument(
        "--limit", type=limit, action="append", default=[], help="of the new front, see below"
    )
    parser.add_argument(
        "--name", help="of its file (default processor, threads, precision, ONNX Runtime)"
    )
