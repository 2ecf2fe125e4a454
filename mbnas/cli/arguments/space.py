"""What mbnas space takes."""

from __future__ import annotations

import argparse

from mbnas.space import shipped_spaces

_EPILOG = """\
examples:
  mbnas space check my_space.toml          is it right? how large is it?
  mbnas space show cifar_mobile            every choice and its options
  mbnas space sample digits_tiny -n 3      some networks of it, with their costs

FILE is a TOML file, or a space that comes with mbnas:
{shipped}.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the verb's arguments."""
    parser.epilog = _EPILOG.format(shipped=", ".join(shipped_spaces()))
    parser.add_argument("action", choices=["check", "show", "sample"])
    parser.add_argument("file", metavar="FILE", help="a TOML file or a shipped space's name")
    parser.add_argument("-n", type=_positive, default=1, help="networks to sample (default 1)")
    parser.add_argument("--seed", type=int, default=0, help="of the sample (default 0)")
    parser.add_argument("--classes", type=_positive, default=10, help="for the costs (default 10)")
    parser.add_argument("--json", action="store_true", help="sample: print architectures as JSON")


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text}: must be a whole number of at least 1")
    return int(text)
