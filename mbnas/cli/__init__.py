"""The command line: one verb a file, which calls the public API and prints.

What a verb takes stands in `arguments`, so that help is there at once.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib
import os
import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from importlib.metadata import version
from typing import NoReturn

from mbnas.errors import MbnasError

VERBS = {
    "demo": "search real handwritten digits, report and export: minutes on a laptop",
    "space": "check, show or sample a search-space file",
    "network": "show what a published network or an architecture file is and costs",
    "search": "search for networks that are accurate and fast on your images and this CPU",
    "steer": "pause a running search, let it go on, or end it early",
    "bench": "time networks on this machine, side by side, and see where the time goes",
    "calibrate": "learn to predict the latencies of a space on this machine",
    "retarget": "time a study's networks again, with other threads, elsewhere or in 8 bits",
    "audit": "see how brief a training may be and still put networks in the right order",
    "simulate": "replay searches on a table of known results, and compare samplers",
    "report": "write a study's report, one HTML file",
    "dashboard": "look at searches while they run, compare networks, steer, take one home",
    "baselines": "train and time published networks as a study's trials were, and compare",
    "confirm": "train the front fully, with several seeds, and only then open the test part",
    "export": "take a network home: ONNX, weights, architecture, card",
    "study": "copy a study to another place or database, or free the disk of what it needs not",
    "doctor": "look at this machine, and what a search would use: what is wrong, and its mend",
}
_EPILOG = """\
examples:
  mbnas demo
  mbnas search search_spaces/cifar_mobile.toml --data folder:photos --trials 40 --limit latency_ms=2
  mbnas report studies/cifar-mobile
  mbnas export studies/cifar-mobile --pick knee --out bundle

Each verb teaches more: mbnas search --help
"""
INTERRUPTED = 130
"""Exit code after Ctrl-C, as shells have it; after what counts as one, too."""


class _Parser(argparse.ArgumentParser):
    """argparse, with an error that points to the verb's help."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {message}; see: {self.prog} --help\n")


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command.

    Returns:
        0 done; 1 a known error, told in one line; 130 after Ctrl-C, SIGTERM, or where the terminal
        closed. Wrong usage exits with 2.
    """
    # Set before torch is loaded: threads that wait must sleep, or a busy machine comes to a halt.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    given = list(sys.argv[1:] if arguments is None else arguments)
    try:
        with _interrupts():
            parsed = _parser(given).parse_args(given)
            verb = importlib.import_module(f"mbnas.cli.{parsed.verb}")  # which may take seconds
            code: int = verb.run(parsed)
    except MbnasError as error:
        if "--debug" in given:
            raise
        print(f"mbnas: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt as stop:
        with contextlib.suppress(OSError):  # of a terminal that has been closed
            if str(stop):
                print(stop, flush=True)
            else:
                print("mbnas: interrupted", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:  # `mbnas ... | head`
        sys.stderr.close()
        return 0
    return code


@contextlib.contextmanager
def _interrupts() -> Iterator[None]:
    """Inside, SIGTERM and a terminal that closes are a Ctrl-C, where they would end the process."""
    before = {}
    if threading.current_thread() is threading.main_thread():
        names = [name for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)]
        before = {
            number: signal.signal(number, signal.default_int_handler)
            for number in map(signal.Signals.__getitem__, names)
            if signal.getsignal(number) is signal.SIG_DFL
        }
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _parser(given: Sequence[str]) -> argparse.ArgumentParser:
    """The parser; of the verbs, only the one that is called has its arguments."""
    parser = _Parser(
        prog="mbnas",
        description="Finds small image classifiers that are as accurate as possible at a given"
        " latency, on your images and your CPU.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"mbnas {version('mbnas')}")
    verbs = parser.add_subparsers(title="verbs", metavar="VERB", dest="verb", required=True)
    called = next((word for word in given if not word.startswith("-")), None)
    for name, summary in VERBS.items():
        verb = verbs.add_parser(
            name,
            help=summary,
            description=summary[0].upper() + summary[1:] + ".",
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        if name == called:
            importlib.import_module(f"mbnas.cli.arguments.{name}").add_arguments(verb)
        verb.add_argument("--debug", action="store_true", help="show an error's traceback")
    return parser
