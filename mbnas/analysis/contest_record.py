"""What a contest is made of, and the folder that holds it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, NonNegativeInt, PositiveInt

from mbnas.analysis.contenders import Contender, ContenderRecord
from mbnas.analysis.records import read_file, write_file
from mbnas.errors import StudyError
from mbnas.measure.latency import Latency
from mbnas.search.holder import held_folder
from mbnas.training.recipe import Recipe

SCHEMA = 1
RECORD_FILE = "contest.json"
LATENCIES_FILE = "latencies.json"


class ContestRecord(BaseModel):
    """contest.json: what must stay the same while a contest goes on, and who is in it.

    Attributes:
        recipe: How every network is trained.
        seeds: Of the trainings of every network; none gives each the seed that its trial had.
        rounds: How often every network is timed.
        threads: Of the timed networks.
        host: Fingerprint of the machine that times them.
        digest: Of the images.
        contenders: The networks; more may come.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    schema_version: int = SCHEMA
    recipe: Recipe
    seeds: tuple[NonNegativeInt, ...]
    rounds: PositiveInt
    threads: PositiveInt
    host: str
    digest: str
    contenders: tuple[ContenderRecord, ...] = ()

    def differences(self, other: ContestRecord) -> list[str]:
        """What another record says differently, in words; who is in it may differ."""
        names = {"host": "machine or ONNX Runtime", "digest": "choice of images"}
        return [
            names.get(name, name)
            for name in ContestRecord.model_fields
            if name != "contenders" and getattr(self, name) != getattr(other, name)
        ]

    def joined_by(self, contenders: Sequence[Contender]) -> ContestRecord:
        """The same with further contenders; of those that are in it, names may change.

        A network may be there twice: as a trial's, and as the baseline that the search began with.
        """
        everyone = [*(one.contender() for one in self.contenders), *contenders]
        every = {(one.id, one.trial is None): ContenderRecord.of(one) for one in everyone}
        return self.model_copy(update={"contenders": tuple(every.values())})


class Latencies(BaseModel):
    """latencies.json: for every network, one latency a round."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    rounds: Annotated[dict[str, tuple[Latency, ...]], Field(default_factory=dict)]


@contextlib.contextmanager
def held(folder: Path, record: ContestRecord, contenders: Sequence[Contender]) -> Iterator[None]:
    """Holds a contest's folder, made if it is not there, with these contenders in it.

    Raises:
        StudyError: it is in use, cannot be written, or holds another contest.
    """
    file = folder / RECORD_FILE
    with held_folder(folder, "the same command is running there"):
        if file.exists():
            there = read_file(ContestRecord, file)
            differences = there.differences(record)
            if differences:
                raise StudyError(
                    f"{folder}: was begun with another {', another '.join(differences)}; repeat"
                    " its own settings to go on, or move that folder away to begin anew"
                )
            record = there
        write_file(file, record.joined_by(contenders))
        yield
