"""Text files: search spaces, recipes, architectures."""

from __future__ import annotations

import contextlib
import json
import random
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import hypothesis
import tomli_w
from hypothesis import HealthCheck, Phase, given, settings
from property.damage import (
    damaged_bytes,
    damaged_json,
    damaged_text,
    deep,
    recoded,
    smallest,
)
from property.strategies import space_tables
from property.test_faults import files

import mbnas
from fuzzing.judge import Fault, Status, fault_of, judged
from fuzzing.pool import Job, Result
from mbnas.network import Architecture, costs
from mbnas.space import read_space

ROOT = Path(__file__).parent.parent.parent
DRAWN = 50


class FileKind:
    """One file a case: what it holds, and what is done with it."""

    suffix = ".txt"

    def __init__(self, job: Job, folder: Path) -> None:
        self.job = job
        self.folder = folder
        self.file = folder / f"case{self.suffix}"
        self._known: dict[str, Fault] = {}

    def content(self, number: int, rng: random.Random) -> bytes:
        """What the file holds."""
        raise NotImplementedError

    def used(self) -> Status:
        """Does with the file what a user would."""
        raise NotImplementedError

    def run(self, number: int) -> Result:
        """One case; of a new fault, the smallest content that has it is kept."""
        rng = random.Random(f"{self.job.seed} {type(self).__name__} {number}")
        content = self.content(number, rng)
        fault, status = self._tried(content)
        if fault is None:
            return Result(number, status)
        if fault.name not in self._known:
            self._known[fault.name] = self._kept(content, fault)
        return Result(number, "fault", fault=self._known[fault.name])

    def _tried(self, content: bytes) -> tuple[Fault | None, Status]:
        self.file.write_bytes(content)
        try:
            return None, self.used()
        except (Exception, RecursionError) as error:  # noqa: BLE001 - this is what is sought
            return fault_of(error), "fault"

    def _kept(self, content: bytes, fault: Fault) -> Fault:
        until = time.monotonic() + self.job.seconds / 3  # the watchdog does not wait for it

        def fails(shorter: bytes) -> bool:
            if time.monotonic() > until:
                return False
            found, _ = self._tried(shorter)
            return found is not None and found.name == fault.name

        small = smallest(content, fails)
        file = self.job.faults / f"{type(self).__name__.lower()}-{fault.mark}{self.suffix}"
        file.write_bytes(small)
        file.with_suffix(".traceback").write_text(fault.said, errors="replace")
        return Fault(fault.name, fault.said, file.name)


def drawn(strategy: Any, count: int, seed: int) -> list[Any]:
    """Values of a hypothesis strategy, the same for the same seed."""
    found: list[Any] = []

    @hypothesis.seed(seed)
    @settings(
        max_examples=count,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(strategy)
    def collect(value: Any) -> None:
        found.append(value)

    collect()
    return found


class Spaces(FileKind):
    """Search-space files: of the right shape, mutated by words, and by bytes."""

    suffix = ".toml"

    def __init__(self, job: Job, folder: Path) -> None:
        super().__init__(job, folder)
        self._texts = [file.read_text() for file in sorted((ROOT / "search_spaces").glob("*.toml"))]
        self._tables: tuple[int, list[Any]] = (-1, [])

    def content(self, number: int, rng: random.Random) -> bytes:
        """Drawn as tables, as they are and with values changed; mutations of the shipped ones."""
        text = rng.choice(self._texts)
        match number % 10:
            case 0:
                return self._drawn(number, rng).encode(errors="replace")
            case 1 | 2:
                return self._changed(number, rng).encode(errors="replace")
            case 3 | 4 | 5 | 6:
                return damaged_text(rng, text, self._texts).encode(errors="replace")
            case 7:
                mutated = damaged_text(rng, self._drawn(number, rng), self._texts)
                return mutated.encode(errors="replace")
            case 8:
                raw = [one.encode() for one in self._texts]
                return damaged_bytes(rng, text.encode(), raw)
        return self._large(rng, text)

    def _drawn(self, number: int, rng: random.Random) -> str:
        return _toml(self._table(number)) or rng.choice(self._texts)

    def _changed(self, number: int, rng: random.Random) -> str:
        with contextlib.suppress(ValueError, RecursionError):
            text = json.dumps(self._table(number), default=str)
            if toml := _toml(json.loads(damaged_json(rng, text))):
                return toml
        return damaged_text(rng, rng.choice(self._texts))

    def _table(self, number: int) -> dict[str, Any]:
        """Each table serves the cases of one decade of numbers."""
        at, place = divmod(number // 10, DRAWN)
        if self._tables[0] != at:
            strategy = files if at % 2 else space_tables()
            self._tables = (at, drawn(strategy, DRAWN, self.job.seed + at))
        table = dict(self._tables[1][place % len(self._tables[1])])
        if "stages" in table:
            table["stage"] = table.pop("stages")
        return table

    def _large(self, rng: random.Random, text: str) -> bytes:
        """Deep, long, many, or in a foreign encoding."""
        many = rng.choice((10, 100, 1000))
        match rng.randrange(8):
            case 0:
                return f"resolution = {deep(rng)}\n{text}".encode()
            case 1:
                return recoded(rng, text)
            case 2:
                return (text + "\n[[stage]]\nwidth = 8\ndepth = 1000\n" * many).encode()
            case 3:
                widths = ", ".join(map(str, range(1, 20 * many)))
                return (text + f"\n[[stage]]\nwidth = [{widths}]\n").encode()
            case 4:
                return (text + f"\n{'a.' * many * 10}b = 1\n").encode()
            case 5:
                options = [
                    {"type": "mbconv", "stride": stride, "width": 8 + stride}
                    for stride in range(1, many)
                ]
                return tomli_w.dumps(
                    {"resolution": [*range(1, 5 * many)], "stage": [{"block": options, "width": 8}]}
                ).encode()
            case 6:
                return f'name = "{"x" * many * 100}"\n{"y" * many * 100} = 1\n{text}'.encode()
        return rng.randbytes(many)

    def used(self) -> Status:
        """Loaded; and sampled, counted and read again if it loads."""

        def work() -> None:
            space = mbnas.load_space(self.file)
            rng = random.Random(0)
            for _ in range(3):
                network = space.architecture(space.sample(rng))
                network.describe()
            costs(network.lower(10))
            assert space.size > 0
            assert read_space(space.toml) == space

        return judged(work, self.file)


def _toml(table: Any) -> str | None:
    """A table as TOML; None where TOML's writer does not take it."""
    try:
        return tomli_w.dumps(table)
    except (ValueError, TypeError, AttributeError, RecursionError):
        return None


class Recipes(FileKind):
    """Recipe files."""

    suffix = ".toml"
    _SOUND = (
        '[recipe]\nepochs = 8\nrungs = [2, 4]\nbatch_size = 64\noptimizer = "sgd"\n'
        "learning_rate = 0.4\nmomentum = 0.9\nweight_decay = 5e-4\nwarm_up = 0.2\n"
        'decay = "linear"\nlabel_smoothing = 0.1\nflip = true\ncrop = false\ncutout = 0.25\n'
        'mixup = 0.2\nema = 0.99\nprecision = "auto"\n'
    )

    def content(self, number: int, rng: random.Random) -> bytes:
        """By words, by bytes, deep, or in a foreign encoding."""
        match number % 10:
            case 0:
                return f"x = {deep(rng)}\n{self._SOUND}".encode()
            case 1:
                return recoded(rng, self._SOUND)
            case 2 | 3:
                return damaged_bytes(rng, self._SOUND.encode())
        return damaged_text(rng, self._SOUND).encode(errors="replace")

    def used(self) -> Status:
        """Loaded, and asked what a training asks."""

        def work() -> None:
            recipe = mbnas.load_recipe(self.file)
            assert recipe.stops[-1] == recipe.epochs
            recipe.rate_at(0, 100, recipe.batch_size_for(1000))

        return judged(work, self.file)


class Architectures(FileKind):
    """architecture.json."""

    suffix = ".json"

    def __init__(self, job: Job, folder: Path) -> None:
        super().__init__(job, folder)
        rng = random.Random(0)
        spaces = [mbnas.load_space(name) for name in ("digits_tiny", "cifar_mobile")]
        self._texts = [
            space.architecture(space.sample(rng)).to_json() for space in spaces for _ in range(4)
        ]

    def content(self, number: int, rng: random.Random) -> bytes:
        """By values, words, bytes; deep, long, or in a foreign encoding."""
        text = rng.choice(self._texts)
        makers: tuple[Callable[[], bytes], ...] = (
            lambda: damaged_bytes(rng, text.encode()),
            lambda: recoded(rng, text),
            lambda: deep(rng).encode(),
            lambda: self._long(rng, text),
            lambda: damaged_text(rng, text).encode(errors="replace"),
        )
        if number % 10 < len(makers):
            return makers[number % 10]()
        return damaged_json(rng, text).encode(errors="replace")

    def _long(self, rng: random.Random, text: str) -> bytes:
        table = json.loads(text)
        stage = {**rng.choice(table["stages"]), "stride": 1, "depth": rng.choice((1, 1000))}
        table["stages"] += [stage] * rng.choice((10, 200, 20_000))
        return json.dumps(table).encode()

    def used(self) -> Status:
        """Read, lowered and counted, and read again."""

        def work() -> None:
            architecture = Architecture.from_json(self.file.read_bytes())
            architecture.describe()
            costs(architecture.lower(10))
            assert Architecture.from_json(architecture.to_json()).id == architecture.id

        return judged(work)
