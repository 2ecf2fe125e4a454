"""Python and the packages, against what the installed mbnas asks for."""

from __future__ import annotations

import platform
from importlib import metadata

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

from mbnas.doctor.finding import Finding, fault, note, well

NAMED = ("torch", "onnxruntime", "optuna")
"""Whose versions matter most to a result, and are told."""
FOR_DEVELOPERS = "dev"
_REINSTALL = "install mbnas again: pip install -e . in its folder, or pip install mbnas"


def python_version() -> Finding:
    """Whether this Python is one that mbnas runs on."""
    here = platform.python_version()
    try:
        wanted = metadata.metadata("mbnas")["Requires-Python"]
    except metadata.PackageNotFoundError:
        wanted = ""
    if SpecifierSet(wanted).contains(here, prereleases=True):
        return well("python", f"{here} ({platform.python_implementation()})")
    return fault(
        "python", f"{here}, where mbnas needs {wanted}", f"make an environment of Python {wanted}"
    )


def packages() -> list[Finding]:
    """Whether all packages that mbnas requires are there, and new enough."""
    try:
        required = _required()
    except metadata.PackageNotFoundError:
        return [fault("packages", "mbnas runs, but is not installed as a package", _REINSTALL)]
    found = [_lacking(one) for one in required if not _is_met(one)]
    if not found:
        versions = ", ".join(f"{name} {_version(name)}" for name in NAMED)
        said = f"mbnas {_version('mbnas')} and the {len(required)} it requires: {versions}, ..."
        found.append(well("packages", said))
    return found + [clash for one in required for clash in _clashes(one.name)]


def extras() -> list[Finding]:
    """Which of the extras, such as the dashboard, are installed."""
    try:
        names = metadata.metadata("mbnas").get_all("Provides-Extra") or []
    except metadata.PackageNotFoundError:  # `packages` says so
        return []
    found = []
    for name in names:
        if name == FOR_DEVELOPERS:
            continue
        required = [one for one in _required(name) if one not in _required()]
        if missing := [str(one.name) for one in required if not _is_met(one)]:
            said = f"not installed: {', '.join(missing)}"
            found.append(note(f"extra {name}", said, f"where wanted: pip install 'mbnas[{name}]'"))
        else:
            versions = ", ".join(f"{one.name} {_version(one.name)}" for one in required)
            found.append(well(f"extra {name}", versions))
    return found


def _required(extra: str = "", of: str = "mbnas") -> list[Requirement]:
    """What a package requires here, an extra of it included."""
    found = [Requirement(text) for text in metadata.requires(of) or []]
    return [one for one in found if one.marker is None or one.marker.evaluate({"extra": extra})]


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _is_met(required: Requirement) -> bool:
    there = _version(required.name)
    return there is not None and required.specifier.contains(there, prereleases=True)


def _lacking(required: Requirement) -> Finding:
    there = _version(required.name) or "missing"
    asked = f"{required.name}{required.specifier}"
    said = f"{required.name}: {there}; needed is {asked}"
    return fault("packages", said, f"pip install '{asked}'")


def _clashes(name: str) -> list[Finding]:
    """Where a required package is there, and something that it needs itself is not as it needs."""
    if _version(name) is None:
        return []
    return [
        note(
            "packages",
            f"{name} {_version(name)} asks for {one.name}{one.specifier};"
            f" there is {_version(one.name) or 'none'}",
            f"pip install '{one.name}{one.specifier}' {name}",
        )
        for one in _required(of=name)
        if not _is_met(one)
    ]
