"""Whether the images load, and what they take."""

from __future__ import annotations

import dataclasses
from itertools import islice
from pathlib import Path

from mbnas.data import Dataset, load_data
from mbnas.data.dataset import USABLE_MEMORY
from mbnas.data.images import UNREADABLE, to_array
from mbnas.doctor.finding import Finding, fault, first_line, gib, note, well
from mbnas.doctor.limits import available_bytes
from mbnas.errors import DataError, StudyError
from mbnas.search.folder import StudyFolder
from mbnas.search.record import DataRecord

USUAL_RESOLUTIONS = (32, 64, 128, 224)
"""For which memory is told where there is no study."""
TRIED_IMAGES = 16
_WHAT = "data"


def images(spec: str, study: Path | None) -> list[Finding]:
    """Whether a data set is to be had, is the study's own, and fits into memory."""
    record, resolutions = _of_study(study)
    split = {} if record is None else dataclasses.asdict(record.split)
    try:
        data = load_data(spec, **split)
    except DataError as error:
        return [fault(_WHAT, str(error), "what DATA may be: mbnas search --help")]
    sizes = ", ".join(f"{size:,} {part}" for part, size in data.sizes.items())
    said = f"{spec}: {len(data.classes)} classes, {sizes}"
    found = [_unreadable(data) or well(_WHAT, said)]
    if record is not None and data.digest() != record.digest:
        said = f"{spec}: not the images that the study was made of ({record.spec})"
        mend = "name the study's own with --data; for others, make a new study"
        found.append(fault(_WHAT, said, mend))
    return [*found, _room(data, resolutions)]


def _of_study(study: Path | None) -> tuple[DataRecord | None, tuple[int, ...]]:
    """How a study's data were split, and how large its images are; nothing of one that is none."""
    if study is not None:
        try:
            record, space = StudyFolder(study).read()
        except StudyError:  # told where the study is looked at
            return None, USUAL_RESOLUTIONS
        return record.data, space.resolutions[-1:]
    return None, USUAL_RESOLUTIONS


def _unreadable(data: Dataset) -> Finding | None:
    """A fault if one of some images cannot be decoded; all are too many to try."""
    every = max(1, len(data.source.names) // TRIED_IMAGES)
    with data.source.opened() as read:
        for index in islice(range(0, len(data.source.names), every), TRIED_IMAGES):
            try:
                with read(index) as image:
                    to_array(image, 8)
            except UNREADABLE as error:
                said = f"{data.spec}: {data.source.names[index]} cannot be read"
                mend = "replace or delete it; a search names all that cannot be read"
                return fault(_WHAT, f"{said} ({first_line(error)})", mend)
    return None


def _room(data: Dataset, resolutions: tuple[int, ...]) -> Finding:
    count, free = data.sizes["train"] + data.sizes["validation"], available_bytes()
    needed = {pixels: 3 * count * pixels**2 for pixels in resolutions}
    told = ", ".join(f"{gib(size)} at {pixels} px" for pixels, size in needed.items())
    said = f"decoded, {told}; {gib(free)} are free"
    too_large = [pixels for pixels, size in needed.items() if size > USABLE_MEMORY * free]
    mend = "take part of them with --subset, or a space of a lower resolution"
    if too_large == list(resolutions):
        return fault("data's memory", f"{said}: too large", mend)
    if too_large:
        return note("data's memory", f"{said}: too large from {too_large[0]} px", mend)
    return well("data's memory", said)
