"""Architectures: their fields, blocks and fusion, the graph they lower to, and its costs."""

from mbnas.network.architecture import Architecture
from mbnas.network.costs import Costs, LayerCosts, costs, layer_costs
from mbnas.network.fields import Fusion, Head, Stage, Stem
from mbnas.network.graph import Graph, Node
from mbnas.network.lowering import fields_used
from mbnas.network.reference import REFERENCES, for_small_images, reference

__all__ = [
    "REFERENCES",
    "Architecture",
    "Costs",
    "Fusion",
    "Graph",
    "Head",
    "LayerCosts",
    "Node",
    "Stage",
    "Stem",
    "costs",
    "fields_used",
    "for_small_images",
    "layer_costs",
    "reference",
]
