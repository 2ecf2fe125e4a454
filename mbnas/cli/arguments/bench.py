"""What mbnas bench takes."""

from __future__ import annotations

import argparse
from pathlib import Path

from mbnas.cli.arguments.network import CLASSES_HELP
from mbnas.network import REFERENCES

_EPILOG = f"""\
examples:
  mbnas bench mobilenet_v2 efficientnet_b0                   two published networks, as a ratio
  mbnas bench mobilenet_v2 torchvision:resnet18 --threads 2
  mbnas bench bundle/model.onnx mobilenet_v2 --resolution 32 --small --classes 10
  mbnas bench bundle/architecture.json --profile --chart profile.html

NETWORK  a reference ({", ".join(REFERENCES)}),
         an architecture.json, an .onnx file or the folder of a model.onnx,
         or torchvision:NAME

The networks take turns, so that what disturbs one disturbs all. "latency" is a run on an
undisturbed core, with its 95 % interval; p50 and p90 are of all runs on this machine as it is now.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the verb's arguments."""
    parser.epilog = _EPILOG
    parser.add_argument("networks", nargs="+", metavar="NETWORK", help="what to time, see below")
    parser.add_argument("--threads", type=int, default=1, help="of each network (default 1)")
    parser.add_argument("--seconds", type=float, default=0.8, help="for each network (default 0.8)")
    parser.add_argument("--resolution", type=int, default=224, help="of references (default 224)")
    parser.add_argument("--multiplier", type=float, default=1.0, help="of a reference's widths")
    parser.add_argument(
        "--small", action="store_true", help="reference: drop strides until the last map is 4×4"
    )
    parser.add_argument("--classes", type=int, help=CLASSES_HELP)
    parser.add_argument(
        "--profile", action="store_true", help="time by stage and operator, of one network"
    )
    parser.add_argument("--chart", type=Path, metavar="FILE", help="the profile as a page to open")
