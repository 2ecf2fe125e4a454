"""What a command may be given: `mbnas` with words changed, lost and put in place of others."""

from __future__ import annotations

import contextlib
import io
import os
import random
import shutil
import threading
from pathlib import Path
from types import SimpleNamespace

from property.damage import NASTY, WORDS

from fuzzing.judge import LONGEST_MESSAGE, Fault, UntoldError, fault_of
from fuzzing.pool import Job, Result
from mbnas.cli import main

TEMPLATES = (
    "space check digits_tiny",
    "space show cifar_mobile",
    "space sample digits_tiny -n 3 --seed 1 --classes 10 --json",
    "network mobilenet_v2 --resolution 32 --small --classes 10 --layers --multiplier 0.5",
    "network {study}/trials/00000/architecture.json --json",
    "steer {study} pause",
    "steer {study} resume",
    "report {study} --out {out}/r.html",
    "export {study} --pick trial:0 --out {out}/bundle",
    "export {study} --pick latency_ms<=0.2 --data folder:{study} --out {out}/bundle",
    "search {study}/space.toml --data digits --subset 100 --study {out}/s --trials 1 --dry-run"
    " --limit latency_ms=5 --epochs 1 --seed 0 --device cpu",
    "search digits_tiny --data folder:{study} --study {study} --trials 1"
    " --recipe {study}/space.toml",
    "bench {study}/trials/00000/model.onnx --seconds 0.01 --threads 1",
    "bench mobilenet_v2 --resolution 16 --small --multiplier 0.1 --classes 10 --seconds 0.01",
    "dashboard {out}/none --port 99999",
    "confirm {out}/none --seeds 2 --near 1 --epochs 3 --recipe {study}/space.toml",
    "baselines {out}/none mobilenet_v2@0.35 torchvision:resnet18 --random",
    "retarget {study} --threads 1 --reach 0.1 --seconds 0.01 --limit latency_ms=1 --name x",
    "simulate {study}/trials.csv --choices a,b --maximize accuracy --minimize latency_ms"
    " --seeds 1 --trainings 5 --out {out}/sim --workers 1",
)
NUMBERS = ("-1", "0", "0.5", "nan", "inf", "1e400", "9" * 5000, "٣", "1_0", "0x10", " 1 ", "")
TEXTS = ("", " ", "\ud800", "a\nb", "--", "-", "x" * 5000, "../..", "/dev/null", "/", "~nobody/x")


class Commands:
    """Commands in this process, each with some words damaged."""

    def __init__(self, job: Job, folder: Path) -> None:
        from fuzzing.studies import sound_study
        from mbnas.dashboard import server

        # What is well asked for would be served for ever.
        vars(server)["threading"] = SimpleNamespace(Thread=threading.Thread, Event=_Past)
        self.job = job
        self.folder = folder
        shutil.copytree(sound_study(job.shared), folder / "study")
        os.chdir(folder)  # what a word names relative to here is the worker's own

    def run(self, number: int) -> Result:
        """One command: 0, a line on the error stream and 1, or usage and 2."""
        rng = random.Random(f"{self.job.seed} Commands {number}")
        words = self._words(rng)
        shutil.rmtree(self.folder / "out", ignore_errors=True)
        said = io.StringIO()
        try:
            with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(said):
                code = self._code(words)
            if code == 1 and not _is_told(said.getvalue()):
                raise UntoldError(f"not told in a line: {said.getvalue()[-2000:]!r}")
        except Exception as error:  # noqa: BLE001 - this is what is sought
            fault = fault_of(error)
            file = self.job.faults / f"commands-{fault.mark}.txt"
            file.write_text(f"{words!r}\n\n{fault.said}", errors="replace")
            return Result(number, "fault", fault=Fault(fault.name, fault.said, file.name))
        return Result(number, "accepted" if code == 0 else "refused")

    def _code(self, words: list[str]) -> int:
        try:
            return main(words)
        except SystemExit as error:
            return error.code if isinstance(error.code, int) else 2

    def _words(self, rng: random.Random) -> list[str]:
        place = {"study": self.folder / "study", "out": self.folder / "out"}
        words = [word.format(**place) for word in rng.choice(TEMPLATES).split()]
        for _ in range(rng.choice((1, 1, 1, 2))):
            at = rng.randrange(1, len(words))  # the verb stays, so that nothing long begins
            match rng.randrange(6):
                case 0:
                    del words[at]
                case 1:
                    words.insert(at, rng.choice((*TEXTS, *NUMBERS)))
                case 2:
                    words[at] = rng.choice(words)
                case 3:
                    words[at] = rng.choice((*WORDS, *map(str, NASTY[:20])))
                case 4:
                    words[at] = words[at][: rng.randrange(len(words[at]) + 1)] + rng.choice(TEXTS)
                case _:
                    words[at] = rng.choice(NUMBERS if words[at][:1].isdigit() else TEXTS)
            if len(words) < 2:
                break
        return words


class _Past:
    """An event that has happened."""

    def wait(self) -> None:
        """Waits for nothing."""


def _is_told(said: str) -> bool:
    lines = [line for line in said.splitlines() if line.startswith("mbnas: ")]
    return bool(lines) and len(lines[-1]) < LONGEST_MESSAGE + 5000
