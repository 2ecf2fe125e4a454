"""From what a user names to arrays: sources, three parts, uint8 images.

`load_data` finds the images and deals them into train, validation and test; nothing is decoded
until `Dataset.decode` is asked for a part at a resolution. Importing this room loads no torch.
"""

from mbnas.data.dataset import Dataset, Part, Split
from mbnas.data.load import load_data
from mbnas.data.source import PartName

__all__ = ["Dataset", "Part", "PartName", "Split", "load_data"]
