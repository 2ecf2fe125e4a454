"""Study folders with damaged members: opened, shown, reported, exported, gone on with."""

from __future__ import annotations

import contextlib
import random
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from filelock import FileLock
from helpers import tiny_space
from property.damaged_studies import Damage, Members

import mbnas
from fuzzing.judge import Fault, fault_of, judged
from fuzzing.pool import Job, Result
from mbnas.data import Dataset, load_data
from mbnas.errors import MeasureError
from mbnas.network import Architecture
from mbnas.search import Limit, Search
from mbnas.search.steering import read_progress, read_wish
from mbnas.search.watched import WatchedStudy
from mbnas.testing import FakeLatencyMeter, FakeTrainer
from mbnas.training.recipe import Recipe

REAL, ALL = 4, 9
RECIPE = Recipe(epochs=2, rungs=(1,), precision="float32")
LIMITS = (Limit("latency_ms", 0.16), Limit("params", 5_000))
SHARES = {"report": 0.06, "dashboard": 0.015, "export": 0.06, "go on": 0.1, "reuse": 0.02}
"""What is done with how many of the cases, beside opening them."""
PICKS = (
    "knee",
    "accuracy",
    "latency",
    "latency_ms<=0.2",
    "trial:0",
    "trial:1",
    "trial:2",
    "trial:8",
)


def data() -> Dataset:
    """Few enough images to train on in a second."""
    return load_data("digits", subset=200)


def make_study(folder: Path) -> None:
    """A study with trials of every status, the first ones with weights."""
    torch.set_num_threads(1)
    search(folder, pack=1).run(trials=REAL)

    def before(architecture: Architecture) -> None:
        if int(architecture.id, 16) % 4 == 0:
            raise MeasureError("made to fail")

    search(folder, trainer=FakeTrainer(RECIPE.epochs, before=before)).run(trials=ALL)


def gone_on(folder: Path, trials: int, **changes: Any) -> None:
    """Searches on, with fakes."""
    search(folder, trainer=FakeTrainer(RECIPE.epochs), **changes).run(trials=trials)


def search(folder: Path, **changes: Any) -> Search:
    """The search that made the study, to go on with."""
    settings: dict[str, Any] = {
        "meter": FakeLatencyMeter(),
        "sampler": "nsga2",
        "stopping": False,
        "recipe": RECIPE,
        "limits": LIMITS,
        **changes,
    }
    return Search(tiny_space(), data(), study=folder, **settings)


class Studies:
    """Copies of one sound study, each with some damage."""

    def __init__(self, job: Job, folder: Path) -> None:
        self.job = job
        self.folder = folder
        self.members = Members(sound_study(job.shared))
        self._known: dict[str, Fault] = {}
        torch.set_num_threads(1)

    def run(self, number: int) -> Result:
        """One case; of a new fault, the copy is kept with as little damage as has it."""
        rng = random.Random(f"{self.job.seed} Studies {number}")
        damages = [self.members.damage(rng) for _ in range(rng.choice((1, 1, 1, 2, 3)))]
        uses = ["open", *(use for use, share in SHARES.items() if rng.random() < share)]
        picked = rng.choice(PICKS)
        done, fault = self._tried(damages, uses, picked)
        if fault is None:
            refused = all(one.endswith("refused") for one in done)
            return Result(number, "refused" if refused else "accepted", done)
        if fault.name not in self._known:
            self._known[fault.name] = self._kept(damages, uses, picked, fault)
        return Result(number, "fault", done, self._known[fault.name])

    def _tried(
        self, damages: Sequence[Damage], uses: Sequence[str], picked: str
    ) -> tuple[tuple[str, ...], Fault | None]:
        copy = self.folder / "study"
        shutil.rmtree(self.folder / "out", ignore_errors=True)
        (self.folder / "case.txt").write_text(_told(damages, uses, picked))
        self.members.copied(copy, damages)
        done = []
        for use in uses:
            try:
                done.append(f"{use}: {self._used(use, copy, picked)}")
            except (Exception, RecursionError) as error:  # noqa: BLE001 - this is what is sought
                return (*done, f"{use}: fault"), fault_of(error)
        return tuple(done), None

    def _used(self, use: str, copy: Path, picked: str) -> str:
        out = self.folder / "out"
        match use:
            case "open":
                return judged(lambda: opened(copy), copy)
            case "report":
                return judged(
                    lambda: mbnas.write_report(mbnas.open_study(copy), out / "report.html"), copy
                )
            case "dashboard":
                from fuzzing.asked import every_view

                return judged(lambda: every_view(copy), copy)
            case "export":
                return judged(
                    lambda: mbnas.export(mbnas.open_study(copy), out / "bundle", picked), copy
                )
            case "reuse":
                return judged(lambda: gone_on(out / "other", 1, reuse=[copy]), copy)
        return judged(lambda: gone_on(copy, ALL + 1), copy)

    def _kept(self, damages: list[Damage], uses: Sequence[str], picked: str, fault: Fault) -> Fault:
        for damage in list(damages):
            fewer = [one for one in damages if one is not damage]
            _, found = self._tried(fewer, uses, picked)
            if found is not None and found.name == fault.name:
                damages = fewer
        self._tried(damages, uses, picked)
        kept = self.job.faults / f"studies-{fault.mark}"
        if not kept.exists():
            shutil.copytree(self.folder / "study", kept, symlinks=True)
            said = f"{_told(damages, uses, picked)}\n{fault.said}"
            kept.with_suffix(".txt").write_text(said, errors="replace")
        return Fault(fault.name, fault.said, kept.name)


def opened(copy: Path) -> None:
    """What a reader does first; the rest is read whatever one part comes to."""
    judged(lambda: read_progress(copy), copy)
    read_wish(copy / "wish.json")
    judged(lambda: mbnas.pause_search(copy), copy)
    watched = WatchedStudy(copy)
    watched.look()
    progress = None
    with contextlib.suppress(mbnas.StudyError):
        progress = read_progress(copy)
    if progress is not None:
        assert progress.is_alive in (True, False)
    for study in (watched.study, mbnas.open_study(copy)):
        if study is not None:
            study.to_dataframe()
            study.front_dataframe()
            assert study.hypervolume >= 0
            assert study.savings.epochs >= 0


def _told(damages: Sequence[Damage], uses: Sequence[str], picked: str) -> str:
    lines = [f"{damage.member}: {damage.what}" for damage in damages]
    return "\n".join([*lines, f"uses: {', '.join(uses)}; export of {picked}", ""])


def sound_study(shared: Path) -> Path:
    """The sound study, made by the first worker that asks for it."""
    folder = shared / "sound" / "study"
    with FileLock(shared / "sound.lock"):
        if not folder.exists():
            made = shared / "making"
            make_study(made / "study")
            (made / "study" / "wish.json").write_text('{"wish": "resume"}')
            last = max((made / "study" / "trials").iterdir())
            torch.save({"identity": "x", "state": {}}, last / "checkpoint.pt")
            made.rename(folder.parent)
    return folder
