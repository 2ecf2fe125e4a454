"""What a retarget is made of, and the file that keeps what it has timed."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, PositiveInt

from mbnas.analysis.records import read_file, write_file
from mbnas.errors import StudyError
from mbnas.measure.host import Host
from mbnas.measure.latency import Latency
from mbnas.search.holder import HOLDER_FILE, held_folder

Precision = Literal["fp32", "int8"]
FOLDER = "retargets"
_NAME = re.compile(r"[A-Za-z0-9][\w.+-]*", re.ASCII)
_ORNAMENTS = re.compile(r"\((?:r|tm)\)|@.*|\b(?:cpu|processor)\b")
_WORDS = {"cpu": "processor", "onnxruntime": "ONNX Runtime"}


class RetargetRecord(BaseModel):
    """A retarget's file.

    Attributes:
        schema_version: Of the file.
        host: The machine that timed, with its threads and its ONNX Runtime.
        precision: Of the networks that were timed.
        classes: That these tell apart.
        latencies: What was timed so far, by the networks' ids.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    schema_version: Literal[1] = 1
    host: Host
    precision: Precision
    classes: PositiveInt
    latencies: dict[str, Latency] = {}

    def differences(self, other: RetargetRecord) -> list[str]:
        """Why latencies of the two do not belong together, in words."""
        pairs = {
            "precision": (self.precision, other.precision),
            "classes": (self.classes, other.classes),
        }
        return [
            *host_differences(self.host, other.host),
            *(
                f"{name}: {mine} there, {yours} now"
                for name, (mine, yours) in pairs.items()
                if mine != yours
            ),
        ]

    def with_latencies(self, latencies: Mapping[str, Latency]) -> RetargetRecord:
        """The same with these latencies alone."""
        return self.model_copy(update={"latencies": dict(latencies)})

    def write(self, file: Path) -> None:
        """Writes the file.

        Raises:
            StudyError: it cannot be written.
        """
        write_file(file, self)


def host_differences(one: Host, other: Host) -> list[str]:
    """What a latency depends on and two hosts have differently, in words."""
    theirs = asdict(other)
    return [
        f"{_WORDS.get(name, name)}: {value} there, {theirs[name]} now"
        for name, value in asdict(one).items()
        if value != theirs[name]
    ]


def read_retarget_record(file: Path) -> RetargetRecord:
    """The record in a retarget's file.

    Raises:
        StudyError: it cannot be read, or is damaged.
    """
    return read_file(RetargetRecord, file, mend="delete it to time everything again")


def record_file(study: Path, name: str) -> Path:
    """Where a retarget of a study lies.

    Raises:
        StudyError: no name for a file.
    """
    if not _NAME.fullmatch(name) or f"{name}.json" == HOLDER_FILE:
        raise StudyError(
            f'name "{name}": must be letters, digits, "-", "_", "+" and ".", such as laptop-int8'
        )
    return study / FOLDER / f"{name}.json"


def default_name(host: Host, precision: Precision) -> str:
    """What a retarget is called by what sets it apart: `amd-epyc-7b13-2-threads-int8-...`."""
    processor = re.findall(r"[a-z0-9]+", _ORNAMENTS.sub(" ", host.cpu.lower()))
    threads = f"{host.threads}-{'thread' if host.threads == 1 else 'threads'}"
    return "-".join([*processor, threads, precision, f"onnxruntime-{host.onnxruntime}"])


@contextlib.contextmanager
def held(file: Path, wanted: RetargetRecord) -> Iterator[RetargetRecord]:
    """Holds the study's retargets, and gives what a file has of the one that is wanted.

    Raises:
        StudyError: another one is running, the folder cannot be written, or the file is damaged
            or holds another retarget.
    """
    with held_folder(file.parent, "another retarget of this study is running"):
        there = read_retarget_record(file) if file.exists() else wanted
        differences = there.differences(wanted)
        if differences:
            raise StudyError(
                f"{file}: holds another retarget ({'; '.join(differences)}); give this one another"
                " name with --name"
            )
        yield there
