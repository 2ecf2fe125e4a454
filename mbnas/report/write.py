"""Writing the report and its two tables."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pandas

from mbnas.errors import StudyError
from mbnas.files import write_atomically
from mbnas.network import costs
from mbnas.report.page import TABLES, page
from mbnas.search import Study, Trial
from mbnas.search.study import row


def write_report(study: Study, path: Path | None = None, left_out: Sequence[str] = ()) -> Path:
    """Writes one HTML file that works offline, and `front.csv` and `trials.csv` beside it.

    Args:
        study: The study as it stands.
        path: The HTML file, or a folder that is there, for `report.html` in it; by default the
            study's. Beside a file of any other name, the tables' names begin with its own:
            `a-front.csv` beside `a.html`.
        left_out: Why trials that cannot be read are not in it, a line each.

    Returns:
        The HTML file.

    Raises:
        StudyError: the files cannot be written, or a file of the study's own would be lost.
    """
    path = path or study.folder.report_file
    columns = _columns(study)
    try:
        if path.is_dir():
            path = path / study.folder.report_file.name
        _check_place(path, study)
        # Two reports may lie in one folder.
        own = "" if path.name == study.folder.report_file.name else f"{path.stem}-"
        front, trials = (f"{own}{name}" for name in TABLES)
        path.parent.mkdir(parents=True, exist_ok=True)
        for name, table in ((front, study.front_dataframe()), (trials, study.to_dataframe())):
            _write_table(path.with_name(name), table.reindex(columns=columns))
        write_atomically(path, page(study, (front, trials), left_out).encode())
    except OSError as error:
        raise StudyError(f"{path}: the report cannot be written ({error.strerror})") from None
    return path


def _check_place(path: Path, study: Study) -> None:
    """Refuses to write over what the study consists of, before anything is written."""
    inside = path.parent.resolve().is_relative_to(study.folder.path.resolve())
    if inside and path.suffix.lower() != ".html":
        raise StudyError(
            f"{path}: lies among the study's own files, and is no .html file; give it such a name,"
            " or another folder"
        )


def _write_table(path: Path, table: pandas.DataFrame) -> None:
    write_atomically(path, table.to_csv(index=False, lineterminator="\n").encode())


def _columns(study: Study) -> list[str]:
    """The tables' columns, which an empty table has too."""
    params = {choice.name: choice.labels[0] for choice in study.space.choices}
    architecture = study.space.architecture(params)
    example = Trial(
        number=0,
        params=params,
        architecture=architecture,
        status="untrained",
        costs=costs(architecture.lower()),
    )
    return list(row(example))
