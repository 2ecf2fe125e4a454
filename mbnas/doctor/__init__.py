"""What is well, worth knowing or wrong on a machine that is to search, and each fault's mend."""

from mbnas.doctor.examine import examine
from mbnas.doctor.finding import Finding, State

__all__ = ["Finding", "State", "examine"]
