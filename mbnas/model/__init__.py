"""From a lowered graph to a PyTorch module."""

from mbnas.model.build import Network, build

__all__ = ["Network", "build"]
