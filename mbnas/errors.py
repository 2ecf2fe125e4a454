"""Every error that mbnas raises on purpose.

A user's mistake, or a fault of the outside world, is told in one line that names the place, the
value and the mend. Anything that is not an `MbnasError` is a fault of the program and keeps its
traceback.

    MbnasError
    ├── SpaceError        a search space or an architecture that cannot be (also a ValueError)
    ├── DataError         images that cannot be read, or parts that cannot be made
    ├── BuildError        a network or its training that cannot be built on this machine
    ├── ExportError       a file that cannot be written or does not compute what the network does
    ├── MeasureError      a latency that cannot be measured
    └── StudyError        a study folder that is missing, damaged, foreign or in use
"""

from __future__ import annotations


class MbnasError(Exception):
    """Base of all errors of mbnas; its text is one line fit for a user."""


class SpaceError(MbnasError, ValueError):
    """A search space or an architecture that cannot be."""


class DataError(MbnasError):
    """Images that cannot be read, or parts that cannot be made of them."""


class BuildError(MbnasError):
    """A network or its training that cannot be built on this machine."""


class ExportError(MbnasError):
    """A file that cannot be written, or that does not compute what the network computes."""


class MeasureError(MbnasError):
    """A latency that cannot be measured."""


class StudyError(MbnasError):
    """A study folder that is missing, damaged, foreign or in use."""
