"""Search spaces: choices, their file, sampling and neighbours."""

from mbnas.space.file import find_space, load_space, make_space, read_space, shipped_spaces
from mbnas.space.space import Choice, Option, Params, SearchSpace

__all__ = [
    "Choice",
    "Option",
    "Params",
    "SearchSpace",
    "find_space",
    "load_space",
    "make_space",
    "read_space",
    "shipped_spaces",
]
