"""All checks in order; one that breaks is a finding too."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

from mbnas.doctor.finding import Finding, fault, first_line
from mbnas.doctor.passwords import hidden

STORAGE_VARIABLE = "MBNAS_STORAGE"
"""As in mbnas.search.storage_url, which not every machine can import."""
Check = Callable[[], list[Finding]]


def examine(
    study: str | Path | None = None,
    *,
    storage: str | None = None,
    engine: str = "auto",
    address: str | None = None,
    data: str | None = None,
    on_check: Callable[[str], None] = lambda _: None,
) -> list[Finding]:
    """Looks at this machine, and at what a search on it would use. Changes nothing.

    Args:
        study: A study's folder, to be looked at too.
        storage: URL of an Optuna storage that is to be reached; by default $MBNAS_STORAGE, if
            that is set.
        engine: `auto`, `local`, `workers` or `ray`.
        address: Of a Ray cluster.
        data: Images to be loaded, as `mbnas.load_data` takes them.
        on_check: Hears before each check what is looked at.

    Returns:
        What was found, in the order of the checks. A check that itself breaks is a fault.
    """
    folder = None if study is None else Path(study)
    checks = [*_of_machine(folder), *_of_wishes(folder, storage, engine, address, data)]
    found: list[Finding] = []
    for what, check in checks:
        on_check(what)
        found += _guarded(what, check, storage)
    return found


def _guarded(what: str, check: Check, storage: str | None) -> list[Finding]:
    try:
        return check()
    except ModuleNotFoundError as error:
        return [fault(what, f"package {error.name} is missing", f"pip install {error.name}")]
    except Exception as error:  # noqa: BLE001 - whatever is wrong here is what is asked for
        said = f"could not be looked at: {type(error).__name__}: {first_line(error)}"
        mend = "see the findings on packages; if those are well, report this line as a bug of mbnas"
        return [fault(what, hidden(said, storage, os.environ.get(STORAGE_VARIABLE)), mend)]


# What a check needs is imported by it: where torch or Optuna is missing, the others still tell.


def _of_machine(study: Path | None) -> Iterator[tuple[str, Check]]:
    def versions() -> list[Finding]:
        from mbnas.doctor import versions

        return [versions.python_version(), *versions.packages(), *versions.extras()]

    def devices() -> list[Finding]:
        from mbnas.doctor import devices

        return devices.devices()

    def cores() -> list[Finding]:
        from mbnas.doctor import cores

        return [*cores.cores(), *cores.clock(), cores.pinned()]

    def moment() -> list[Finding]:
        from mbnas.doctor import machine

        return [machine.memory(), machine.load()]

    def quiet() -> list[Finding]:
        from mbnas.doctor import machine

        return [machine.known(), machine.quiet()]

    def places() -> list[Finding]:
        from mbnas.doctor import places

        return [*places.disks(study), *places.writing(study), *places.shared_files()]

    yield "packages", versions
    yield "devices", devices
    yield "cores", cores
    yield "memory and load", moment
    yield "quiet", quiet
    yield "places", places


def _of_wishes(
    study: Path | None, storage: str | None, engine: str, address: str | None, data: str | None
) -> Iterator[tuple[str, Check]]:
    def stored() -> list[Finding]:
        from mbnas.doctor import storage as room

        return [room.storage(url)] if url is not None else []

    def engines() -> list[Finding]:
        from mbnas.doctor import engines

        return engines.engine(engine, address)

    def whole() -> list[Finding]:
        from mbnas.doctor import study as room

        return [] if study is None else room.whole_study(study, storage)

    def images() -> list[Finding]:
        from mbnas.doctor import data as room

        return room.images(data or "", study)

    # A study that is there knows its own.
    url = storage or (os.environ.get(STORAGE_VARIABLE) if study is None else None) or None
    if url is not None:
        yield "storage", stored
    yield "engine", engines
    if study is not None:
        yield "study", whole
    if data is not None:
        yield "data", images
