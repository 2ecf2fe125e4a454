"""From a point on the front to files one can take home.

The room is called by what it leaves on disk, because `mbnas.export` is the function.
"""

from mbnas.bundle.export import Bundle, export
from mbnas.bundle.pick import pick

__all__ = ["Bundle", "export", "pick"]
