"""What a contest is made of, and the folder that holds it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, NonNegativeInt, PositiveInt

from mbnas.analysis.contenders import Contender, ContenderRecord
from mbnas.analysis.records import read_file, write_file
from mbnas.analysis.trainings import Trainings
from mbnas.errors import StudyError
from mbnas.measure.latency import Latency
from mbnas.search.holder import held_folder
from mbnas.search.stopping import telling_images
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
        validation_members: Number of images of each class in the validation part; files of older
            versions have none.
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
    validation_members: tuple[NonNegativeInt, ...] = ()
    contenders: tuple[ContenderRecord, ...] = ()

    def differences(self, other: ContestRecord) -> list[str]:
        """What another record says differently, in words; who is in it may differ.

        The digest says which images there are, of whatever class.
        """
        names = {"host": "machine or ONNX Runtime", "digest": "choice of images"}
        own, others = self.model_dump(), other.model_dump()
        found = []
        for name in own.keys() - {"contenders", "validation_members"}:
            there, now = own[name], others[name]
            if there == now:
                continue
            match name:
                case "recipe":
                    fields = (one for one in there if there[one] != now[one])
                    found += [f"{one}: {there[one]} there, {now[one]} now" for one in fields]
                case "seeds":
                    found.append(f"seeds: {len(there)} there, {len(now)} now")
                case _:
                    found.append(f"another {names.get(name, name)}")
        return sorted(found)

    def joined_by(self, contenders: Sequence[Contender]) -> ContestRecord:
        """The same with further contenders; of those that are in it, names may change.

        A network may be there twice: as a trial's, and as the baseline that the search began with.
        """
        everyone = [*(one.contender() for one in self.contenders), *contenders]
        every = {(one.id, one.trial is None): ContenderRecord.of(one) for one in everyone}
        return self.model_copy(update={"contenders": tuple(every.values())})

    def telling_images(self, images: int, quality: str) -> float:
        """So many images, drawn at random, tell an accuracy as exactly as the validation part.

        Args:
            images: Of the part; where their classes are not on record, they are taken for even.
            quality: Which accuracy.
        """
        return telling_images(self.validation_members or (images,), quality)


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
        there = _begun(folder)
        if there is not None:
            differences = there.differences(record)
            if differences:
                raise StudyError(
                    f"{folder}: was begun otherwise ({'; '.join(differences)}); repeat its own"
                    " settings to go on, or move that folder away to begin anew"
                )
            record = record.joined_by([one.contender() for one in there.contenders])
        write_file(file, record.joined_by(contenders))
        yield


def trainings_of(folder: Path, *, keep_weights: bool = False) -> Trainings:
    """Where a contest keeps its trainings."""
    return Trainings(folder / "trainings", keep_weights=keep_weights)


def latencies_of(folder: Path) -> dict[str, tuple[Latency, ...]]:
    """What a contest has timed, by the networks' ids.

    Raises:
        StudyError: its file is damaged.
    """
    file = folder / LATENCIES_FILE
    return dict(read_file(Latencies, file).rounds) if file.exists() else {}


def _begun(folder: Path) -> ContestRecord | None:
    """The contest there, with those alone of whom something was done; None where nothing was.

    What was only planned binds nobody: a command may fail before its first training.
    """
    file = folder / RECORD_FILE
    if not file.exists():
        return None
    there = read_file(ContestRecord, file)
    begun = {*trainings_of(folder).begun(), *latencies_of(folder)}
    kept = tuple(one for one in there.contenders if one.contender().id in begun)
    return there.model_copy(update={"contenders": kept}) if kept else None
