"""mbnas network: what one network is and costs."""

from __future__ import annotations

import argparse
from pathlib import Path

import onnx
from google.protobuf.message import DecodeError
from rich.box import SIMPLE_HEAD
from rich.table import Table

import mbnas
from mbnas.cli.arguments.network import CLASSES
from mbnas.cli.table import print_table
from mbnas.measure.networks import architecture_in
from mbnas.network import layer_costs


def run(arguments: argparse.Namespace) -> int:
    """Runs the verb."""
    architecture = _architecture(arguments)
    if arguments.json:
        print(architecture.to_json())
        return 0
    graph = architecture.lower(classes_for(arguments.network, arguments.classes))
    costs = mbnas.costs(graph)
    print(architecture.describe())
    print(f"\nid              {architecture.id}")
    print(f"classes         {graph.classes:,}")
    print(f"parameters      {costs.params:,}")
    print(f"MACs            {costs.macs:,}")
    print(f"ONNX file       {costs.size_bytes:,} bytes")
    if arguments.layers:
        table = Table("layer", "primitive", "shape", "parameters", "MACs", box=SIMPLE_HEAD)
        for layer in layer_costs(graph):
            shape = "×".join(map(str, layer.shape))
            table.add_row(layer.name, layer.kind, shape, f"{layer.params:,}", f"{layer.macs:,}")
        print_table(table)
    return 0


def classes_for(network: str, asked: int | None) -> int:
    """How many classes a network is to have: as asked, or as in the model.onnx beside its file."""
    return (_classes_beside(Path(network)) or CLASSES) if asked is None else asked


def classes_in(content: bytes, *, is_own: bool = False) -> int | None:
    """How many classes an ONNX file tells apart; None where it does not say.

    Args:
        content: The file.
        is_own: Whether only a file that mbnas has written counts.
    """
    try:
        model = onnx.load_model_from_string(content)
    except DecodeError:
        return None
    sizes = [one.type.tensor_type.shape.dim for one in model.graph.output]
    is_classifier = len(sizes) == 1 and len(sizes[0]) == 2
    if not is_classifier or (is_own and model.producer_name != "mbnas"):
        return None
    return sizes[0][1].dim_value or None


def _classes_beside(file: Path) -> int | None:
    try:
        is_architecture = file.suffix != ".onnx" and file.is_file()
        content = file.with_name("model.onnx").read_bytes() if is_architecture else b""
    except OSError:  # mostly that there is none
        return None
    return classes_in(content, is_own=True)


def _architecture(arguments: argparse.Namespace) -> mbnas.Architecture:
    return architecture_in(Path(arguments.network)) or mbnas.reference(
        arguments.network,
        arguments.resolution,
        width_multiplier=arguments.multiplier,
        small=arguments.small,
    )
