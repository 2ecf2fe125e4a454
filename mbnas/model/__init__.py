"""From a lowered graph to a PyTorch module."""

from mbnas.model.build import Network, build, build_seeded

__all__ = ["Network", "build", "build_seeded"]
