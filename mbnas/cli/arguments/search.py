"""What mbnas search takes."""

from __future__ import annotations

import argparse
from pathlib import Path

from mbnas.cli.arguments.shared import add_data, add_training, epochs, limit, seconds

_EPILOG = """\
examples:
  mbnas search digits_tiny --data digits --trials 20 --epochs 6
  mbnas search search_spaces/cifar_mobile.toml --data folder:photos --study studies/photos \\
      --trials 40 --limit latency_ms=2
  mbnas search cifar_mobile --data folder:cifar10.zip --subset 3000 --budget 2h --dry-run
  mbnas search cifar_mobile --data folder:photos --study studies/uneven --recipe recipe.toml \\
      --maximize balanced_accuracy
  mbnas search cifar_mobile --data folder:photos --study studies/faster --limit latency_ms=1 \\
      --start mobilenet_v2 --start bundle/architecture.json --reuse studies/photos
  mbnas search cifar_mobile --data folder:photos --study studies/gpus --engine workers \\
      --trial-timeout 30m
  mbnas search cifar_mobile --data folder:photos --study studies/cluster --engine ray \\
      --address auto --batch 16
  MBNAS_STORAGE=postgresql+psycopg://me:secret@dbhost/nas \\
      mbnas search cifar_mobile --data folder:photos --study studies/shared

COST   latency_ms, p90_ms, params, macs, size_bytes or resolution
LIMIT  a cost and a number, such as latency_ms=2: networks above it are not trained.

Networks that even with luck would not raise the front are not trained, or stopped at a rung.

The study's folder keeps everything. At the first Ctrl-C, what is trained ends its epoch; at the
second, the search ends at once. Nothing is lost, and the same command goes on.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the verb's arguments."""
    parser.epilog = _EPILOG
    parser.add_argument("file", metavar="FILE", help="search-space file, or a shipped space's name")
    parser.add_argument("--study", type=Path, help="study folder (default studies/NAME)")
    _add_budget(parser)
    _add_goals(parser)
    add_data(parser)
    add_training(parser, epochs="for each network (default 5; more where images are few)")
    _add_choice(parser)
    _add_places(parser)
    parser.add_argument(
        "--dry-run",
        action="store_true",
        help="say what would run and about how long; write nothing",
    )


def _add_budget(parser: argparse.ArgumentParser) -> None:
    """What ends the search."""
    budget = parser.add_argument_group("budget (default 40 trials)")
    budget.add_argument(
        "--trials",
        type=int,
        help="networks in all: trained, stopped, failed, or only timed because of a limit",
    )
    budget.add_argument(
        "--budget",
        type=seconds,
        metavar="TIME",
        help="such as 90s, 30m, 2h; what is trained then goes on to its next rung, up to half a"
        " training",
    )
    budget.add_argument(
        "--epochs-total", type=int, metavar="N", help="epochs to train in all, of all networks"
    )


def _add_goals(parser: argparse.ArgumentParser) -> None:
    """What is searched for, and how."""
    goals = parser.add_argument_group("goals")
    goals.add_argument(
        "--maximize",
        default="accuracy",
        metavar="QUALITY",
        help="accuracy, or balanced_accuracy for uneven classes",
    )
    goals.add_argument(
        "--minimize", default="latency_ms", metavar="COST", help="beside it (latency_ms)"
    )
    goals.add_argument(
        "--limit", type=limit, action="append", default=[], help="hard bound, see below"
    )
    goals.add_argument("--threads", type=int, default=1, help="of a timed network (default 1)")
    goals.add_argument(
        "--sampler",
        default="known_cost",
        help="known_cost, local, nsga2, tpe, gp, random (default known_cost)",
    )
    goals.add_argument("--seed", type=int, default=0, help="of everything drawn (default 0)")


def _add_choice(parser: argparse.ArgumentParser) -> None:
    """Which networks are evaluated, and which of them to the end."""
    parser.add_argument(
        "--rungs",
        type=epochs,
        metavar="N,...",
        help="epochs after which a hopeless trial is stopped (default a quarter and half of all)",
    )
    parser.add_argument(
        "--no-stopping", action="store_true", help="train every network that meets the limits"
    )
    parser.add_argument(
        "--warm-start", action="store_true", help="begin with the weights of a similar network"
    )
    parser.add_argument(
        "--start",
        action="append",
        default=[],
        metavar="NETWORK",
        help="evaluate first: an architecture.json or a reference, made for small images where"
        " the space is; may be repeated, and need not be of the space",
    )
    parser.add_argument(
        "--reuse",
        action="append",
        default=[],
        type=Path,
        metavar="STUDY",
        help="take over what another study of these images and recipe trained; may be repeated",
    )


def _add_places(parser: argparse.ArgumentParser) -> None:
    """Where candidates are evaluated, and where the study is kept."""
    places = parser.add_argument_group("engine and storage")
    places.add_argument(
        "--engine",
        default="auto",
        metavar="ENGINE",
        help="local: in this process; workers: processes of this machine, which use all its GPUs;"
        " ray: a cluster; auto, the default: workers where there is a GPU, else local",
    )
    places.add_argument(
        "--address",
        help="with --engine ray: auto, or HOST:PORT of a cluster that this machine belongs to"
        " (default: Ray is started here)",
    )
    places.add_argument(
        "--batch",
        type=int,
        metavar="N",
        help="networks in evaluation at once; the search then depends on the seed and N, not on"
        " who ends first (default with local: as many as there is room for)",
    )
    places.add_argument(
        "--trial-timeout",
        type=seconds,
        metavar="TIME",
        help="after which the training of a network is given up",
    )
    places.add_argument(
        "--storage",
        metavar="URL",
        help="of a database that Optuna opens, such as postgresql+psycopg://user@host/name"
        " (default: a file in the study's folder; or the variable MBNAS_STORAGE)",
    )
    places.add_argument(
        "--take-over",
        action="store_true",
        help="go on with a study whose search died on another machine",
    )
