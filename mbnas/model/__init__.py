"""From the lowered graph to a plain PyTorch module; networks of other makes beside them."""

from mbnas.model.build import Network, build, build_seeded
from mbnas.model.foreign import AnyNetwork, ForeignNetwork

__all__ = ["AnyNetwork", "ForeignNetwork", "Network", "build", "build_seeded"]
