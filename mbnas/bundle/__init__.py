"""From a point on the front to files one can take home.

The room is called by what it leaves on disk, because `mbnas.export` is the function.
"""

from mbnas.bundle.export import Bundle, export, write_bundle
from mbnas.bundle.pick import pick
from mbnas.bundle.trained import Accuracy, TrainedNetwork, network_of_trial

__all__ = [
    "Accuracy",
    "Bundle",
    "TrainedNetwork",
    "export",
    "network_of_trial",
    "pick",
    "write_bundle",
]
