"""Whether a study is whole, who works on it, and whether it can go on here."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

from safetensors import SafetensorError, safe_open
from sqlalchemy import text
from sqlalchemy.engine import URL
from sqlalchemy.exc import SQLAlchemyError

from mbnas.doctor.finding import Finding, fault, first_line, note, well
from mbnas.doctor.locking import try_lock
from mbnas.doctor.passwords import without_password
from mbnas.doctor.storage import connected, parsed_url, reason
from mbnas.errors import StudyError
from mbnas.measure.host import this_host
from mbnas.search.folder import HEAVY_FILES, StudyFolder
from mbnas.search.record import StudyRecord
from mbnas.search.steering import read_progress
from mbnas.search.storage_url import chosen_storage
from mbnas.search.study import RESULT, Study
from mbnas.search.trial import Trial
from mbnas.search.watched import WatchedStudy

NAMED = 3
_FROM_A_COPY = "bring it back from a copy of the study"
_COUNT = text(
    "SELECT COUNT(DISTINCT trials.trial_id) FROM trials"
    " JOIN studies ON studies.study_id = trials.study_id"
    " JOIN trial_user_attributes ON trial_user_attributes.trial_id = trials.trial_id"
    " WHERE studies.study_name = :name AND trials.state IN ('COMPLETE', 'PRUNED', 'FAIL')"
    f" AND trial_user_attributes.key = '{RESULT}'"
)


def whole_study(path: Path, url: str | None) -> list[Finding]:
    """Whether all parts of a study are there and agree.

    Args:
        path: Its folder.
        url: Of its storage; None for what the study says.
    """
    watched = WatchedStudy(path)
    watched.look()
    if watched.study is None:
        return [fault("study", watched.problem or str(path), _mend_of_record(path))]
    study = watched.study
    return [
        _trials(study, watched.damaged),
        _front(study),
        _database(study, len(watched.damaged), url),
        _holder(path),
        _measured_here(study.record),
    ]


def _mend_of_record(path: Path) -> str:
    if not StudyFolder(path).exists:
        return "name a study's folder, which has a study.json, or make one: mbnas search"
    return f"{_FROM_A_COPY}, or use the mbnas that wrote it; trials/ holds the results all the same"


def _trials(study: Study, damaged: dict[int, str]) -> Finding:
    what, folder = "study", study.folder
    if damaged:
        more = f", and {len(damaged) - 1} more trials" if len(damaged) > 1 else ""
        mend = "bring the files back from a copy of the study, or remove those trials' folders:"
        mend += " the study's database holds their results too"
        return fault(what, f"{next(iter(damaged.values()))}{more}", mend)
    broken_off = len(folder.trial_numbers()) - len(study.trials)
    open_ = f", {broken_off} not at their end" if broken_off else ""
    created = f"{study.record.created:%Y-%m-%d}"
    said = f"{folder.path}: of {created}, {len(study.trials)} trials, all can be read{open_}"
    return well(what, said)


def _front(study: Study) -> Finding:
    """Whether what an export needs is there."""
    what = "front"
    if not any(study.folder.has_weights(trial) for trial in study.trials):
        said = f"{len(study.front)} on it, and no trial has weights: none can be exported"
        return note(what, said)
    faults = [_lacking(study, trial) for trial in study.front if trial.known_from is None]
    lacking = [one for one in faults if one is not None]
    if not lacking:
        return well(what, f"{len(study.front)} on it, with weights and models")
    more = f", and more ({len(lacking)} trials)" if len(lacking) > 1 else ""
    mend = f"{_FROM_A_COPY}; without it, train that network anew with: mbnas search --start"
    return fault(what, f"{lacking[0]}{more}", mend)


def _lacking(study: Study, trial: Trial) -> str | None:
    """What is missing or damaged of a trial's files."""
    folder = study.folder.trial_folder(trial.number)
    for name in HEAVY_FILES:
        if not (folder / name).is_file() or not (folder / name).stat().st_size:
            return f"{folder / name}: missing, and trial {trial.number} is on the front"
    try:
        with safe_open(study.folder.weights_file(trial.number), "numpy") as weights:
            weights.keys()
    except (SafetensorError, OSError) as error:
        return f"{study.folder.weights_file(trial.number)}: damaged ({first_line(error)})"
    return None


def _database(study: Study, damaged: int, url: str | None) -> Finding:
    """Whether the database knows as many finished trials as there are results."""
    what, there = "database", len(study.trials) + damaged
    url = chosen_storage(url, study.record)
    place = str(study.folder.database) if url is None else without_password(url)
    try:
        count = _finished(study, url)
    except FileNotFoundError:
        mend = "the next search makes it anew from trials/; or was another storage used? Name it"
        return note(what, f"{place}: missing", f"{mend} with --storage")
    except (SQLAlchemyError, ImportError, ValueError) as error:
        anew = "move it aside, and the next search makes it anew from trials/"
        mend = anew if url is None else "see that it runs, or name it with --storage URL"
        return fault(what, f"{place}: cannot be read ({reason(error, url)})", mend)
    if count == there:
        return well(what, f"{place}: {count} finished trials, as in trials/")
    said = f"{place}: {count} finished trials, where trials/ has {there}"
    if count < there and _is_searched(study.folder.path):
        return well(what, f"{said}: they are told in the order of their numbers")
    if count < there:
        mend = (
            "the next search on it takes up what waits for its turn, or a kill left; or was another"
        )
        return note(what, said, f"{mend} storage used? Name it with --storage")
    mend = "results were lost from trials/: bring them back from a copy of the study"
    return fault(what, said, mend)


def _finished(study: Study, url: str | None) -> int:
    address = _own_database(study.folder) if url is None else parsed_url(url)
    with connected(address) as connection:
        return int(connection.execute(_COUNT, {"name": study.record.name}).scalar() or 0)


def _own_database(folder: StudyFolder) -> URL:
    if not folder.database.is_file():
        raise FileNotFoundError(folder.database)
    # Opened so, SQLite makes no file that is not there.
    return URL.create(
        "sqlite",
        database=f"file:{folder.database.resolve()}",
        query={"mode": "rw", "uri": "true"},
    )


def _holder(path: Path) -> Finding:
    """Who searches on a study, by its lock and by what the search last said."""
    what, held = "search", _is_held(path)
    try:
        progress = read_progress(path)
    except StudyError as error:
        return fault(what, str(error), "remove that file: a search writes it anew")
    who = "" if progress is None else f"process {progress.pid} on {progress.host}"
    if progress is not None and progress.is_alive:
        if held:
            return well(what, f"{who}: {progress.state}; another search is kept out meanwhile")
        said = f"{who} says that it searches, and its lock is not seen here"
        return note(what, said, "start no other search from this host while it runs")
    if held:
        said = "the study is held by a process that does not search, or has not begun to"
        return note(what, said, f"see who has it open: lsof {path / '.lock'}")
    if progress is None or progress.state == "ended":
        return well(what, "none runs on this study")
    said = f"the last one ({who}) was broken off, at {progress.evaluated} evaluated trials"
    return note(what, said, "the same command goes on where it stopped; nothing is lost")


def _is_searched(path: Path) -> bool:
    try:
        progress = read_progress(path)
    except StudyError:
        return False
    return progress is not None and progress.is_alive


def _is_held(path: Path) -> bool:
    file = path / ".lock"
    if not file.exists():
        return False
    try:
        return try_lock(str(file)) == "held"
    except OSError:  # on a disk that cannot be written nobody searches
        return False


def _measured_here(record: StudyRecord) -> Finding:
    """Whether latencies measured here belong on the study's front."""
    what, here = "study's host", this_host(record.threads)
    pairs: Sequence[tuple[str, str, str]] = [
        ("processor", record.host.cpu, here.cpu),
        ("onnxruntime", record.host.onnxruntime, here.onnxruntime),
    ]
    differing = [f"{name} {one} there, {other} here" for name, one, other in pairs if one != other]
    if differing:
        said = f"latencies measured here do not compare: {'; '.join(differing)}"
        mend = "read, report and export it here, and search on where it was made"
        if record.host.cpu == here.cpu:
            mend += f", or: pip install onnxruntime=={record.host.onnxruntime}"
        return note(what, said, mend)
    other = [
        f"{name} {record.versions[name]} there, {version(name)} here"
        for name in ("torch", "optuna")
        if name in record.versions and record.versions[name] != version(name)
    ]
    if other:
        mend = "none needed; for the very same trainings install those versions"
        return note(what, f"the same; but {'; '.join(other)}", mend)
    return well(what, "the same processor and versions: new latencies compare")
