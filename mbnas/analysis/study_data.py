"""The images of a study, read again."""

from __future__ import annotations

from mbnas.data import Dataset, load_data
from mbnas.errors import DataError
from mbnas.search import Study


def study_data(study: Study, moved_to: str | None = None) -> Dataset:
    """The images that a study was searched with, dealt as they were.

    Args:
        study: The study.
        moved_to: Where they are now, `folder:PATH` or the like, if they have moved.

    Raises:
        DataError: they are not there, or are other images.
    """
    record = study.record.data
    split = record.split
    data = load_data(
        moved_to or record.spec,
        seed=split.seed,
        validation=split.validation,
        test=split.test,
        subset=split.subset,
    )
    if data.digest() != record.digest:
        raise DataError(f"{data.spec}: holds other images than the study was searched with")
    return data
