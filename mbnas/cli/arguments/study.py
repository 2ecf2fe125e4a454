"""What mbnas study takes."""

from __future__ import annotations

import argparse
from pathlib import Path

_EPILOG = """\
examples:
  mbnas study copy studies/photos studies/again
  mbnas study copy studies/photos studies/cluster \\
      --storage postgresql+psycopg://me:secret@host/nas       from study.db to PostgreSQL
  mbnas study copy studies/cluster studies/home               and back to a study.db of its own
  mbnas study prune studies/photos --dry-run                  what would be freed?
  mbnas study prune studies/photos --keep 0                   weights of the front alone stay

Each teaches more: mbnas study copy --help
"""
_COPY = """\
Copies the folder and all that Optuna has of the study: trials, numbers, values, attributes, notes.
What was broken off goes on in the copy from its checkpoint. The copy is a study of its own, called
as its folder. Nothing may search the study meanwhile.

--storage is any database's URL that Optuna opens; its password is written nowhere. Whoever goes on
with the copy gives it again, in MBNAS_STORAGE, or leaves it to the database's own ways (.pgpass).
"""
_PRUNE = """\
Removes weights and ONNX files of trials that are neither on the front, nor broken off, nor among
the last ones; what killed writes left; artifacts that no trial knows of; and gives the free pages
of study.db back. Results, curves and architectures stay. After it, reports, the dashboard, exports
of the front and the search itself work as before. Of the others, `mbnas export --pick trial:N` then
finds no weights. Nothing may search the study meanwhile.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the verb's arguments."""
    parser.epilog = _EPILOG
    actions = parser.add_subparsers(title="actions", metavar="ACTION", dest="action", required=True)
    copy = _action(actions, "copy", "copy a study to a new folder, and to another database", _COPY)
    copy.add_argument("source", metavar="SOURCE", type=Path, help="a study's folder")
    copy.add_argument("target", metavar="TARGET", type=Path, help="a new folder")
    copy.add_argument(
        "--storage", metavar="URL", help="the copy's database (default a study.db of its own)"
    )
    prune = _action(actions, "prune", "free the disk of what a study no longer needs", _PRUNE)
    prune.add_argument("study", metavar="STUDY", type=Path, help="a study's folder")
    prune.add_argument(
        "--keep", metavar="N", type=int, default=10, help="last trials to leave as they are (10)"
    )
    prune.add_argument("--dry-run", action="store_true", help="only say what would be freed")


def _action(
    actions: argparse._SubParsersAction[argparse.ArgumentParser], name: str, summary: str, more: str
) -> argparse.ArgumentParser:
    action = actions.add_parser(
        name,
        help=summary,
        description=f"{summary[0].upper()}{summary[1:]}.",
        epilog=more,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    action.add_argument(
        "--debug", action="store_true", default=argparse.SUPPRESS, help="show an error's traceback"
    )
    return action
