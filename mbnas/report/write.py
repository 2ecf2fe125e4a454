"""Writing the report and its two tables."""

from __future__ import annotations

from pathlib import Path

import pandas

from mbnas.errors import StudyError
from mbnas.files import write_atomically
from mbnas.network import costs
from mbnas.report.page import TABLES, page
from mbnas.search import Study, Trial
from mbnas.search.study import row


def write_report(study: Study, path: Path | None = None) -> Path:
    """Writes one HTML file that works offline, and `front.csv` and `trials.csv` beside it.

    Args:
        study: The study as it stands.
        path: The HTML file; by default `report.html` in the study's folder. Beside one of any
            other name, the tables' names begin with its own: `a-front.csv` beside `a.html`.

    Returns:
        The HTML file.

    Raises:
        StudyError: the files cannot be written.
    """
    path = path or study.folder.report_file
    columns = _columns(study)
    # Two reports may lie in one folder.
    own = "" if path.name == study.folder.report_file.name else f"{path.stem}-"
    front, trials = (f"{own}{name}" for name in TABLES)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        for name, table in ((front, study.front_dataframe()), (trials, study.to_dataframe())):
            _write_table(path.with_name(name), table.reindex(columns=columns))
        write_atomically(path, page(study, (front, trials)).encode())
    except OSError as error:
        raise StudyError(f"{path}: the report cannot be written ({error.strerror})") from None
    return path


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
