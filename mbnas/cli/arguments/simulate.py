"""What mbnas simulate takes."""

from __future__ import annotations

import argparse
from pathlib import Path

_EPILOG = """\
examples:
  mbnas simulate table.csv --choices arch --maximize acc1,acc2,acc3 --minimize latency_ratio \\
      --reference 0.8,max --samplers known_cost,nsga2,random --seeds 20
  mbnas simulate studies/photos --samplers known_cost,local --seeds 5

TABLE  a CSV file with a row for each network, or the folder of a finished study.
       --choices takes one column whose characters are one choice each, or several columns.
       Several columns to maximise are repeated measurements of one quantity: each evaluation
       returns one of them at random, and hypervolumes count their mean. Rows alike in all of
       them and in --known, with costs within a quarter of each other, count as one network spelled
       twice; an exact cost among --known, such as params, tells networks apart more surely.
       What stands in a TOML file beside the table (table.toml beside table.csv, keys named as
       the options are) need not be said.

A training is the first evaluation of a network. Before it is chosen, a network's cost is seen
with a relative error, the same for every sampler of a seed.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the verb's arguments."""
    parser.epilog = _EPILOG
    parser.add_argument("table", metavar="TABLE", type=Path, help="see below")
    columns = parser.add_argument_group("columns of a CSV file")
    columns.add_argument("--choices", type=names, metavar="COLUMN,...", help="see below")
    columns.add_argument("--maximize", type=names, metavar="COLUMN,...", help="the quality")
    columns.add_argument("--minimize", metavar="COLUMN", help="the cost")
    columns.add_argument(
        "--known", type=names, metavar="COLUMN,...", help="what else is known beforehand"
    )
    columns.add_argument(
        "--reference",
        type=names,
        metavar="QUALITY,COST",
        help="the hypervolume's reference point: numbers, min or max (default min,max)",
    )
    plan = parser.add_argument_group("what is replayed")
    plan.add_argument("--samplers", type=names, metavar="NAME,...", help="default all")
    plan.add_argument("--seeds", type=int, help="runs of each (default 20)")
    plan.add_argument("--trainings", type=int, help="most trainings of a run (default 300)")
    plan.add_argument("--error", type=float, help="of predicted costs (default 0.03)")
    plan.add_argument("--in-flight", type=int, help="candidates evaluated at once (default 1)")
    parser.add_argument("--workers", type=int, help="processes (default: one a core)")
    parser.add_argument("--out", type=Path, help="folder (default studies/simulations/NAME)")


def names(text: str) -> tuple[str, ...]:
    """Some names, such as `acc1,acc2`."""
    return tuple(part.strip() for part in text.split(","))
