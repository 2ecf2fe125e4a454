"""mbnas network: what one network is and costs."""

from __future__ import annotations

import argparse
from pathlib import Path

from rich import print as rich_print
from rich.box import SIMPLE_HEAD
from rich.table import Table

import mbnas
from mbnas.measure.networks import architecture_in
from mbnas.network import REFERENCES, layer_costs

_EPILOG = f"""\
examples:
  mbnas network mobilenet_v2                                 a published network at 224 pixels
  mbnas network efficientnet_b0 --resolution 32 --small      the same for small images
  mbnas network studies/photos/bundle/architecture.json --layers

Reference networks: {", ".join(REFERENCES)}.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the verb's arguments."""
    parser.epilog = _EPILOG
    parser.add_argument("network", metavar="NETWORK", help="a reference, or an architecture.json")
    parser.add_argument("--resolution", type=int, default=224, help="of a reference (default 224)")
    parser.add_argument("--multiplier", type=float, default=1.0, help="of a reference's widths")
    parser.add_argument(
        "--small", action="store_true", help="reference: drop strides until the last map is 4×4"
    )
    parser.add_argument("--classes", type=int, default=1000, help="for the costs (default 1000)")
    parser.add_argument("--layers", action="store_true", help="costs of every primitive")
    parser.add_argument("--json", action="store_true", help="print the architecture as JSON")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Runs the verb."""
    architecture = _architecture(arguments)
    if arguments.json:
        print(architecture.to_json())
        return 0
    graph = architecture.lower(arguments.classes)
    costs = mbnas.costs(graph)
    print(architecture.describe())
    print(f"\nid              {architecture.id}")
    print(f"parameters      {costs.params:,}  ({arguments.classes} classes)")
    print(f"MACs            {costs.macs:,}")
    print(f"ONNX file       {costs.size_bytes:,} bytes")
    if arguments.layers:
        table = Table("layer", "primitive", "shape", "parameters", "MACs", box=SIMPLE_HEAD)
        for layer in layer_costs(graph):
            shape = "×".join(map(str, layer.shape))
            table.add_row(layer.name, layer.kind, shape, f"{layer.params:,}", f"{layer.macs:,}")
        rich_print(table)
    return 0


def _architecture(arguments: argparse.Namespace) -> mbnas.Architecture:
    return architecture_in(Path(arguments.network)) or mbnas.reference(
        arguments.network,
        arguments.resolution,
        width_multiplier=arguments.multiplier,
        small=arguments.small,
    )
