"""Whether a study is whole: read from its files and its database by nothing of mbnas's search.

Only the front is also asked of mbnas, to be compared with one that is computed here.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import optuna
from optuna.storages import RDBStorage
from optuna.trial import FrozenTrial, TrialState

import mbnas

Record = dict[str, Any]
KINDS = ("lost", "duplicated", "count", "unfinished", "database", "front", "sequence")
"""What may be wrong with a study that has come to its end."""


def whole_results(study: Path) -> dict[str, str]:
    """The digest of each trial's result that is there and whole, by the trial's folder."""
    found = {}
    for file in study.glob("trials/*/result.json"):
        content = file.read_bytes()
        try:
            json.loads(content)
        except ValueError:
            continue
        found[file.parent.name] = hashlib.sha256(content).hexdigest()
    return found


def records(study: Path) -> list[Record]:
    """What the trials' files say, by number."""
    files = sorted(study.glob("trials/*/result.json"))
    return [json.loads(file.read_bytes()) for file in files]


def sequence(study: Path) -> list[tuple[int, str, str, int]]:
    """Number, network, end and epochs of every trial."""
    return [(one["number"], one["id"], one["status"], len(one["curve"])) for one in records(study)]


def faults(
    study: Path,
    trials: int,
    *,
    before: Sequence[Mapping[str, str]] = (),
    like: Sequence[tuple[int, str, str, int]] | None = None,
    url: str | None = None,
) -> dict[str, list[str]]:
    """What is wrong with a study, by kind; empty lists where nothing is.

    Args:
        study: Its folder, whose search has come to its end.
        trials: Trials that were to be evaluated.
        before: What `whole_results` found whenever it was broken off.
        like: The `sequence` of an unbroken search; None where there is none to compare with.
        url: Of its database, if that is not its own.
    """
    there = records(study)
    frozen = told(study, url)
    own = [one for one in there if one["status"] != "reused"]
    found = {
        "lost": _lost(study, before),
        "duplicated": [*_twice("number", there), *_twice("id", own)],
        "count": [] if len(own) == trials else [f"{len(own)} evaluated, not {trials}"],
        "unfinished": [f"trial {t.number} {t.state.name}" for t in frozen if not is_ended(t)],
        "database": _disagreements(there, [trial for trial in frozen if is_ended(trial)]),
        "front": _front_faults(study, there),
        "sequence": [] if like is None else _differences(sequence(study), like),
    }
    assert tuple(found) == KINDS
    return found


def summary(found: Mapping[str, int]) -> str:
    """The counts of faults in words."""
    wrong = ", ".join(f"{count} {kind}" for kind, count in found.items() if count)
    return f"faults: {wrong}" if wrong else "no fault"


def counted(all_of_them: Sequence[Mapping[str, list[str]]]) -> dict[str, int]:
    """How often each kind of fault was found."""
    return {kind: sum(len(one[kind]) for one in all_of_them) for kind in KINDS}


def told(study: Path, url: str | None = None) -> list[FrozenTrial]:
    """What Optuna has of a study, opened as anybody would."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    storage = RDBStorage(url or f"sqlite:///{study / 'study.db'}")
    try:
        name = json.loads((study / "study.json").read_text())["name"]
        return optuna.load_study(study_name=name, storage=storage).get_trials()
    finally:
        storage.remove_session()
        storage.engine.dispose()


def is_ended(trial: FrozenTrial) -> bool:
    return trial.state.is_finished()


def _lost(study: Path, before: Sequence[Mapping[str, str]]) -> list[str]:
    now = whole_results(study)
    return [
        f"trial {name} " + ("changed" if name in now else "gone")
        for kept in before
        for name, digest in kept.items()
        if now.get(name) != digest
    ]


def _twice(what: str, some: Sequence[Record]) -> list[str]:
    counts = Counter(one[what] for one in some)
    return [f"{what} {value}: {count} times" for value, count in counts.items() if count > 1]


def _disagreements(there: Sequence[Record], frozen: Sequence[FrozenTrial]) -> list[str]:
    by_number = {one["number"]: one for one in there}
    if set(by_number) != {trial.number for trial in frozen} or len(frozen) != len(by_number):
        return [f"{len(by_number)} in files, {len(frozen)} finished in the database"]
    return [
        f"trial {trial.number}: {what}"
        for trial in frozen
        for what in _disagreement(by_number[trial.number], trial, by_number)
    ]


def _disagreement(record: Record, trial: FrozenTrial, by_number: Mapping[int, Record]) -> list[str]:
    """In what a trial's file and Optuna differ."""
    source = record if record["reused_from"] is None else by_number[record["reused_from"]]
    states = {"trained": TrialState.COMPLETE, "failed": TrialState.FAIL}
    state = states.get(source["status"], TrialState.PRUNED)
    values = None
    if state == TrialState.COMPLETE:
        values = [source["accuracy"], source["latency"]["latency_ms"]]
    found = []
    if trial.state != state:
        found.append(f"{trial.state.name}, not {state.name}")
    if trial.values != values:
        found.append(f"values {trial.values}, not {values}")
    if trial.user_attrs.get("result") != record:
        found.append("another result")
    if trial.params.keys() != record["params"].keys():
        found.append("other choices")
    return found


def _front_faults(study: Path, there: Sequence[Record]) -> list[str]:
    trained = [one for one in there if one["status"] == "trained"]
    expected = sorted(one["number"] for one in trained if not any(_beats(o, one) for o in trained))
    front = sorted(trial.number for trial in mbnas.open_study(study).front)
    return [] if front == expected else [f"{front}, not {expected}"]


def _beats(one: Record, other: Record) -> bool:
    """Whether one is nowhere worse and somewhere better; of equals, the first."""
    mine = (-one["accuracy"], one["latency"]["latency_ms"])
    theirs = (-other["accuracy"], other["latency"]["latency_ms"])
    if mine == theirs:
        return bool(one["number"] < other["number"])
    return mine[0] <= theirs[0] and mine[1] <= theirs[1]


def _differences(
    found: Sequence[tuple[int, str, str, int]], like: Sequence[tuple[int, str, str, int]]
) -> list[str]:
    if len(found) != len(like):
        return [f"{len(found)} trials, not {len(like)}"]
    pairs = zip(found, like, strict=True)
    return [f"{one}, not {other}" for one, other in pairs if one != other]
