"""What mbnas network takes."""

from __future__ import annotations

import argparse

from mbnas.network import REFERENCES

_EPILOG = f"""\
examples:
  mbnas network mobilenet_v2                                 a published network at 224 pixels
  mbnas network efficientnet_b0 --resolution 32 --small      the same for small images
  mbnas network studies/photos/bundle/architecture.json --layers

Reference networks: {", ".join(REFERENCES)}.
"""
CLASSES = 1000
CLASSES_HELP = f"default {CLASSES}, or as the model.onnx beside an architecture.json has them"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the verb's arguments."""
    parser.epilog = _EPILOG
    parser.add_argument("network", metavar="NETWORK", help="a reference, or an architecture.json")
    parser.add_argument("--resolution", type=int, default=224, help="of a reference (default 224)")
    parser.add_argument("--multiplier", type=float, default=1.0, help="of a reference's widths")
    parser.add_argument(
        "--small", action="store_true", help="reference: drop strides until the last map is 4×4"
    )
    parser.add_argument("--classes", type=int, help=CLASSES_HELP)
    parser.add_argument("--layers", action="store_true", help="costs of every primitive")
    parser.add_argument("--json", action="store_true", help="print the architecture as JSON")
